#include "control/policy_book.h"

#include <sys/stat.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "testing/controller_fixture.h"

namespace skerry::testing {
namespace {

class PolicyBookTest : public ControllerTest {
 protected:
  void SetUp() override {
    ControllerTest::SetUp();
    ASSERT_TRUE(sys::mkdir_all(rules_, 0755));
  }
  void write(const std::string& name, const std::string& text, mode_t mode = 0644) {
    ASSERT_TRUE(write_file_atomic(cat(rules_, "/", name), text, mode));
  }
  std::string problem() {
    const auto policy = read_policy(rules_);
    return policy.problems().empty() ? "" : to_text(policy.problems()[0]);
  }

  const std::string rules_ = dir_ / "policy";
};

TEST_F(PolicyBookTest, ReadsItsFilesAndNoOthers) {
  write("20.policy", "rpc * b a deny");
  write("10.policy", "rpc * a b allow");
  write("README", "nonsense");
  write(".hidden.policy", "nonsense");
  const auto policy = read_policy(rules_);
  EXPECT_TRUE(policy.problems().empty());
  ASSERT_EQ(policy.rules().size(), 2U);
  EXPECT_EQ(policy.rules()[0].file, "10.policy");
  EXPECT_TRUE(read_policy(dir_ / "nowhere").problems().empty());
}

TEST_F(PolicyBookTest, WhatOthersMayChangeIsMalformed) {
  write("10.policy", "rpc * a b allow", 0666);
  EXPECT_NE(problem().find("10.policy: may be changed by others"), std::string::npos) << problem();
  write("10.policy", "rpc * a b allow");
  EXPECT_EQ(problem(), "");
  ASSERT_TRUE(sys::chmod(rules_, 0777));
  EXPECT_NE(problem().find("may be changed by others"), std::string::npos);
  ASSERT_TRUE(sys::chmod(rules_, 0755));
  ASSERT_EQ(::mkfifo(cat(rules_, "/20.policy").c_str(), 0644), 0);
  EXPECT_NE(problem().find("20.policy: is no regular file"), std::string::npos) << problem();
}

// What a file denied must not open because the disk it is on was not mounted.
TEST_F(PolicyBookTest, ADirectoryThatSomebodyCountsOnIsNotGone) {
  const std::string nowhere = dir_ / "nowhere";
  EXPECT_TRUE(PolicyBook(nowhere, *store_, clock_).edition().policy->problems().empty());
  EXPECT_FALSE(PolicyBook(nowhere, *store_, clock_, NoDirectory::kMalformed).edition().policy->problems().empty());
  write("10.policy", "net.egress * @any @any deny");
  PolicyBook book(rules_, *store_, clock_);
  ASSERT_EQ(book.edition().policy->rules().size(), 1U);
  ASSERT_TRUE(sys::remove_tree(rules_));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(book.reload());
    ASSERT_EQ(book.edition().policy->problems().size(), 1U) << "reload " << i;
  }
  // An empty one is a word.
  ASSERT_TRUE(sys::mkdir_all(rules_, 0755));
  ASSERT_TRUE(book.reload());
  EXPECT_TRUE(book.edition().policy->problems().empty());
}

TEST_F(PolicyBookTest, HoldsFromTheReloadOnAndTells) {
  ZoneWish vault;
  vault.name = "vault";
  vault.egress = "none";
  ASSERT_TRUE(zones_->add(vault));
  auto there = spec("c");
  there.zone = "vault";
  const auto c = run(there)->ip;
  const auto a = run(spec("a"))->ip;
  write("10.policy", "net.connect +tcp:80 a c allow");
  EXPECT_TRUE(network_.policy().allowed.empty());
  ASSERT_TRUE(policy_->reload());
  ASSERT_EQ(network_.policy().allowed.size(), 1U);
  EXPECT_EQ(network_.policy().allowed[0].source.text(), a);
  EXPECT_EQ(network_.policy().allowed[0].target->text(), c);
  EXPECT_EQ(event_types().back(), "policy.reloaded");
  ASSERT_TRUE(ask("c", Verb::kForceDelete));
  EXPECT_TRUE(eventually([&] { return network_.policy().allowed.empty(); })) << "its address is gone";
  there.name = "other";
  ASSERT_TRUE(run(there));
  EXPECT_TRUE(network_.policy().allowed.empty());
}

TEST_F(PolicyBookTest, AMalformedOneClosesEgressToo) {
  ASSERT_TRUE(run(spec("a")));
  write("10.policy", "nonsense");
  ASSERT_TRUE(policy_->reload());
  EXPECT_EQ(network_.policy().denied.size(), 1U);
  EXPECT_EQ(policy_->edition().policy->problems().size(), 1U);
  restart_daemon();
  EXPECT_EQ(network_.policy().denied.size(), 1U) << "from its start on";
}

}  // namespace
}  // namespace skerry::testing
