#include "base/accounts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry {
namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    "www-data:x:33:33::/var/www:/usr/sbin/nologin\n"
    "app:x:1000:1000:App:/home/app:/bin/sh\n"
    "huge:x:4294967295:0::/:/bin/sh";
constexpr const char* kGroup = "root:x:0:\nwww-data:x:33:\nvideo:x:44:app,other\naudio:x:29:app\napp:x:1000:app\n";

Account resolved(std::string_view user) {
  auto account = resolve_account(user, kPasswd, kGroup);
  EXPECT_TRUE(account) << account.error().message();
  return account.value_or(Account{});
}

TEST(Accounts, EmptyIsRoot) {
  EXPECT_EQ(resolved("").uid, 0U);
  EXPECT_EQ(resolved("").home, "/root");
}

TEST(Accounts, NameBringsGroupsAndHome) {
  const auto account = resolved("app");
  EXPECT_EQ(account.uid, 1000U);
  EXPECT_EQ(account.gid, 1000U);
  EXPECT_THAT(account.groups, testing::ElementsAre(29, 44));
  EXPECT_EQ(account.home, "/home/app");
}

TEST(Accounts, NumberFindsTheEntry) { EXPECT_THAT(resolved("1000").groups, testing::ElementsAre(29, 44)); }

TEST(Accounts, UnknownNumberIsFine) {
  const auto account = resolved("4711:815");
  EXPECT_EQ(account.uid, 4711U);
  EXPECT_EQ(account.gid, 815U);
  EXPECT_EQ(account.home, "/");
}

TEST(Accounts, ExplicitGroupDropsTheOthers) {
  const auto account = resolved("app:www-data");
  EXPECT_EQ(account.gid, 33U);
  EXPECT_TRUE(account.groups.empty());
}

TEST(Accounts, RefusesWhatIsNotThere) {
  EXPECT_EQ(resolve_account("nosuch", kPasswd, kGroup).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(resolve_account("app:nosuch", kPasswd, kGroup).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(resolve_account("4294967295", kPasswd, kGroup));
  EXPECT_FALSE(resolve_account("-1", kPasswd, kGroup));
  EXPECT_FALSE(resolve_account("huge", kPasswd, kGroup));
}

TEST(Accounts, WorkWithoutFiles) { EXPECT_EQ(resolve_account("", "", "").value().uid, 0U); }

}  // namespace
}  // namespace skerry
