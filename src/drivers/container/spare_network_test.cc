// Real namespaces: needs root.
#include "drivers/container/spare_network.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <vector>

#include "base/sys_file.h"

namespace skerry {
namespace {

class SpareNetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: namespaces";
  }

  Result<network::NewNetns> make() {
    ++begun_;
    if (broken_) return fail(ErrorCode::kIo, "no more");
    auto made = network::create_netns([]() -> Status { return {}; });
    ++made_;
    made_.notify_all();
    return made;
  }

  void await_made(int number) {
    for (int now = made_; now < number; now = made_) made_.wait(now);
  }

  std::atomic<int> begun_ = 0;
  std::atomic<int> made_ = 0;
  std::atomic<bool> broken_ = false;
  SpareNetwork spare_{[this] { return make(); }};
};

TEST_F(SpareNetworkTest, NothingIsMadeBeforeTheFirstIsTaken) {
  EXPECT_EQ(begun_, 0);
  ASSERT_TRUE(spare_.take());
  await_made(2);  // its own and the spare one
}

TEST_F(SpareNetworkTest, EachIsTakenOnce) {
  std::vector<network::NewNetns> taken;
  std::set<ino_t> inodes;
  for (int i = 0; i < 20; ++i) {
    auto one = spare_.take();
    ASSERT_TRUE(one) << one.error().message();
    inodes.insert(sys::fstat(one->netns.get()).value().st_ino);
    taken.push_back(std::move(*one));
  }
  EXPECT_EQ(inodes.size(), 20U);
}

TEST_F(SpareNetworkTest, AFailureBehindTheBackIsNobodys) {
  broken_ = true;
  const auto failed = spare_.take();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message(), "no more");
  broken_ = false;
  EXPECT_TRUE(spare_.take());
}

}  // namespace
}  // namespace skerry
