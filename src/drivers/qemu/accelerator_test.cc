#include "drivers/qemu/accelerator.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"

namespace skerry::qemu {
namespace {

TEST(Verdict, SurvivesTheCache) {
  const AcceleratorVerdict verdict{Accelerator::kKvm, "KVM works"};
  const auto back = decode_verdict(encode_verdict(verdict, "boot QEMU 7.2"), "boot QEMU 7.2");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->accelerator, Accelerator::kKvm);
  EXPECT_EQ(back->reason, "KVM works");
}

TEST(Verdict, OfAnotherBootOrBrokenIsNone) {
  const auto text = encode_verdict({Accelerator::kTcg, "slow"}, "boot-1");
  EXPECT_FALSE(decode_verdict(text, "boot-2"));
  for (std::size_t cut = 0; cut < text.size(); ++cut)
    EXPECT_FALSE(decode_verdict(text.substr(0, cut), "boot-1")) << cut;
  EXPECT_FALSE(decode_verdict("xen boot-1\nx\n", "boot-1"));
}

TEST(Probe, BootsOnceAndRemembers) {
  if (const auto obstacle = kvm_obstacle(); !obstacle.empty())
    GTEST_SKIP() << "needs an openable /dev/kvm: " << obstacle;
  const auto dir = TempDir::create("probe");
  ASSERT_TRUE(dir);
  int boots = 0;
  const auto boot = [&]() -> Status {
    ++boots;
    return fail(ErrorCode::kUnavailable, "silent");
  };
  for (int i = 0; i < 2; ++i) {
    const auto verdict = probe_accelerator(*dir / "accel", "key", boot);
    ASSERT_TRUE(verdict) << verdict.error().message();
    EXPECT_EQ(verdict->accelerator, Accelerator::kTcg);
    EXPECT_NE(verdict->reason.find("silent"), std::string::npos);
  }
  EXPECT_EQ(boots, 1);
  const auto again = probe_accelerator(*dir / "accel", "other key", []() -> Status { return {}; });
  EXPECT_EQ(again->accelerator, Accelerator::kKvm);
}

TEST(Probe, OneThatWasLateDecidesNothing) {
  if (const auto obstacle = kvm_obstacle(); !obstacle.empty())
    GTEST_SKIP() << "needs an openable /dev/kvm: " << obstacle;
  const auto dir = TempDir::create("probe");
  ASSERT_TRUE(dir);
  const auto late = probe_accelerator(*dir / "accel", "key",
                                      []() -> Status { return fail(ErrorCode::kDeadlineExceeded, "a busy host"); });
  ASSERT_TRUE(late);
  EXPECT_EQ(late->accelerator, Accelerator::kTcg);
  EXPECT_FALSE(late->settled);
  const auto again = probe_accelerator(*dir / "accel", "key", []() -> Status { return {}; });
  EXPECT_EQ(again->accelerator, Accelerator::kKvm);
}

// Control groups out of reach, a full disk: as soon as that is mended KVM is to be tried again, without a reboot.
TEST(Probe, OneThatCouldNotRunDecidesNothing) {
  if (const auto obstacle = kvm_obstacle(); !obstacle.empty())
    GTEST_SKIP() << "needs an openable /dev/kvm: " << obstacle;
  const auto dir = TempDir::create("probe");
  ASSERT_TRUE(dir);
  for (const auto code :
       {ErrorCode::kUnsupported, ErrorCode::kIo, ErrorCode::kInternal, ErrorCode::kResourceExhausted}) {
    const auto hindered =
        probe_accelerator(*dir / "accel", "key", [&]() -> Status { return fail(code, "no cgroups"); });
    ASSERT_TRUE(hindered);
    EXPECT_FALSE(hindered->settled);
    EXPECT_NE(hindered->reason.find("no cgroups"), std::string::npos);
  }
  const auto again = probe_accelerator(*dir / "accel", "key", []() -> Status { return {}; });
  EXPECT_EQ(again->accelerator, Accelerator::kKvm);
}

TEST(Probe, OneAtATime) {
  if (const auto obstacle = kvm_obstacle(); !obstacle.empty())
    GTEST_SKIP() << "needs an openable /dev/kvm: " << obstacle;
  const auto dir = TempDir::create("probe");
  ASSERT_TRUE(dir);
  std::atomic<int> boots = 0;
  const auto boot = [&]() -> Status {
    ++boots;
    // What the others would do meanwhile, they do now.
    ::poll(nullptr, 0, 50);
    return {};
  };
  constexpr int kStarters = 4;
  std::vector<std::thread> starters;
  starters.reserve(kStarters);
  for (int i = 0; i < kStarters; ++i) {
    starters.emplace_back([&] { EXPECT_TRUE(probe_accelerator(*dir / "accel", "key", boot)); });
  }
  for (auto& each : starters) each.join();
  EXPECT_EQ(boots, 1);
}

}  // namespace
}  // namespace skerry::qemu
