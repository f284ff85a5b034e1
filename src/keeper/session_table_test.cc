#include "keeper/session_table.h"

#include <gtest/gtest.h>

namespace skerry::keeper {
namespace {

TEST(SessionTable, GivesEveryConversationItsOwnNumber) {
  SessionTable table;
  const auto a = table.open(1, 1).value();
  const auto b = table.open(2, 1).value();
  EXPECT_NE(a, b);
  EXPECT_NE(a, 0U);
  EXPECT_EQ(table.find(b)->client, 2U);
  EXPECT_EQ(table.guest_session(1, 1), a);
  table.close(a);
  EXPECT_EQ(table.find(a), nullptr);
  EXPECT_FALSE(table.guest_session(1, 1).has_value());
  EXPECT_TRUE(table.open(1, 1));
}

TEST(SessionTable, RefusesANumberInUseAndTooMany) {
  SessionTable table;
  ASSERT_TRUE(table.open(1, 1));
  EXPECT_EQ(table.open(1, 1).error().code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(table.open(1, 0).error().code, ErrorCode::kAlreadyExists);
  for (std::uint32_t local = 2; local <= SessionTable::kMaxPerClient; ++local) ASSERT_TRUE(table.open(1, local));
  EXPECT_EQ(table.open(1, 100000).error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(table.open(2, 1));
  EXPECT_EQ(table.of_client(1).size(), SessionTable::kMaxPerClient);
  EXPECT_EQ(table.of_client(2).size(), 1U);
}

}  // namespace
}  // namespace skerry::keeper
