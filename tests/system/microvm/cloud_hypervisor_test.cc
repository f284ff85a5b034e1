// The driver over Cloud Hypervisor, as far as a host without KVM can show it: its refusals for real, and its life with
// a stand-in that speaks the documented API in the real jail (fake_cloud_hypervisor.py).
#include <gmock/gmock.h>

#include "drivers/cloud_hypervisor/cloud_hypervisor_driver.h"
#include "microvm_host.h"
#include "network/bridge.h"

namespace skerry {
namespace {

using testing::HasSubstr;

class CloudHypervisorTest : public MicrovmTest {
 protected:
  void SetUp() override {
    MicrovmTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    use(AccelChoice::kKvm, SKERRY_FAKE_CLOUD_HYPERVISOR);
  }

  // "KVM, as configured" is believed; the stand-in does not need it.
  void use(AccelChoice accel, const std::string& program) {
    QemuConfig config;
    config.agent = bin("skerry-agent");
    config.cache_dir = cache_dir_;
    config.accel = accel;
    config.program = program;
    config.boot_timeout = std::chrono::seconds(20);
    driver_ = make_cloud_hypervisor_driver(jail_, *images_, config);
  }
  void needs_device() {
    if (::access("/dev/kvm", R_OK | W_OK) != 0) GTEST_SKIP() << "needs a /dev/kvm that opens";
  }
  static std::string vmm_log(const Launch& launch) { return read_file(launch.place.log_path() + ".vmm").value_or(""); }
  // Its keeper writes it down in its own time.
  static void await_vmm_log(const Launch& launch, std::string_view text) {
    const SystemClock clock;
    const MonoTime deadline = clock.monotonic() + std::chrono::seconds(20);
    while (vmm_log(launch).find(text) == std::string::npos) {
      ASSERT_LT(clock.monotonic(), deadline) << "not in the log: " << text;
      ::poll(nullptr, 0, 5);
    }
  }
};

TEST_F(CloudHypervisorTest, BootsAMachineInTheJail) {
  needs_device();
  auto& launch = launch_of("cloud", {"sleep", "1000"});
  const auto started = driver_->start(launch);
  ASSERT_OK(started);
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kRunning);
  await_log(launch, "the workload speaks");
  await_vmm_log(launch, "\"uid\"");
  const auto log = vmm_log(launch);
  for (const auto* call : {"vmm.ping", "vm.create", "vm.boot"}) EXPECT_THAT(log, HasSubstr(cat("\"", call, "\"")));
  // It opened its disks by name, as a user of its own, and sees nothing else of the host.
  EXPECT_THAT(log, HasSubstr(R"("disks": {"root": "ro", "overlay": "rw", "manifest": "ro"})"));
  EXPECT_THAT(log, HasSubstr(R"("etc": false)"));
  EXPECT_THAT(log, testing::Not(HasSubstr(R"("uid": 0)")));
  EXPECT_THAT(log, HasSubstr("skerry.channel=vsock:1024"));
  ASSERT_OK(driver_->stop(launch.place, {5000}));
  const auto end = await_end(launch);
  EXPECT_EQ(end.phase, Phase::kExited);
  EXPECT_EQ(end.exit_code, 0);
}

// A daemon killed between the VMM's start and its machine's: a VMM alone is never taken for a run.
TEST_F(CloudHypervisorTest, AStartThatIsKilledIsNoRun) {
  needs_device();
  for (int at = 1; at <= 2; ++at) {
    auto& launch = launch_of(cat("killed-", at), {"sleep", "1000"});
    ASSERT_TRUE(start_killed(launch, at)) << at;
    EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kBroken) << at;
    ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
    EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent) << at;
    ASSERT_OK(driver_->start(launch));
    ASSERT_OK(driver_->destroy(launch.place));
  }
  auto& whole = launch_of("whole", {"sleep", "1000"});
  EXPECT_FALSE(start_killed(whole, 3));
  EXPECT_EQ(driver_->observe(whole.place)->phase, Phase::kRunning);
}

TEST_F(CloudHypervisorTest, TheTapGoesAlongWithTheRequest) {
  needs_device();
  auto& launch = launch_of("wired", {"sleep", "1000"});
  network::BridgeSpec bridge;
  bridge.name = "skbr0";
  bridge.address = Cidr::parse("10.9.0.1/24").value();
  ASSERT_OK(network::ensure_bridge(bridge));
  launch.network = NetworkAttachment{"skbr0", "10.9.0.2", 24, "10.9.0.1", "02:00:00:00:00:02", {}};
  ASSERT_OK(driver_->start(launch));
  await_vmm_log(launch, "vm.add-net");
  EXPECT_THAT(vmm_log(launch), HasSubstr(R"("body": {"id": "net0", "mac": "02:00:00:00:00:02"}, "descriptors": 1)"));
}

TEST_F(CloudHypervisorTest, PausesBothTheGuestAndItsProcess) {
  needs_device();
  auto& launch = launch_of("pausing", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  ASSERT_OK(driver_->pause(launch.place));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kPaused);
  ASSERT_OK(driver_->resume(launch.place));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kRunning);
  // Whoever takes over finds nothing to do.
  ASSERT_OK(driver_->adopt(launch.place));
  await_vmm_log(launch, "vm.pause");
  await_vmm_log(launch, "vm.resume");
}

TEST_F(CloudHypervisorTest, WhatItRefusesIsTheErrorOfTheStart) {
  needs_device();
  auto& launch = launch_of("refused", {"sleep", "1000"});
  launch.spec.plugin = "refuses";
  auto started = driver_->start(launch);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("refuses vm.create (500)"));
  EXPECT_THAT(started.error().message(), HasSubstr("Cannot open disk path"));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);

  auto& dying = launch_of("dying", {"sleep", "1000"});
  dying.spec.plugin = "dies";
  started = driver_->start(dying);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("cannot map memory"));
  EXPECT_EQ(driver_->observe(dying.place)->phase, Phase::kAbsent);
}

// The VMM would start it again; for us that is the end.
TEST_F(CloudHypervisorTest, AGuestThatGoesEndsItsVmm) {
  needs_device();
  auto& launch = launch_of("panicking", {"sleep", "1000"});
  launch.spec.plugin = "panics";
  const auto started = driver_->start(launch);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message(), HasSubstr("the guest ended before it was ready"));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
}

TEST_F(CloudHypervisorTest, AnAnswerThatIsNoneIsAnError) {
  needs_device();
  auto& launch = launch_of("nonsense", {"sleep", "1000"});
  launch.spec.plugin = "talks-nonsense";
  ASSERT_OK(driver_->start(launch));
  const auto adopted = driver_->adopt(launch.place);
  ASSERT_FALSE(adopted);
  EXPECT_EQ(adopted.error().code, ErrorCode::kCorrupt);
}

TEST_F(CloudHypervisorTest, WhatItCannotDoIsRefusedWithTheReason) {
  needs_device();
  auto& sharing = launch_of("sharing", {"sleep", "1000"});
  sharing.spec.mounts = {{*temp_ / "rootfs", "/mnt", true}};
  const auto started = driver_->start(sharing);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(started.error().message(), HasSubstr("directories of the host"));

  auto& launch = launch_of("plain", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  EXPECT_EQ(driver_->suspend(launch.place).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(driver_->save(launch.place, *temp_ / "saved").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kRunning);
}

TEST_F(CloudHypervisorTest, WithoutTheProgramOrVirtualisationNothingStarts) {
  auto& launch = launch_of("nowhere", {"sleep", "1000"});
  use(AccelChoice::kAuto, "/nowhere/cloud-hypervisor");
  auto available = driver_->availability();
  EXPECT_FALSE(available.available);
  EXPECT_THAT(available.reason, HasSubstr("/nowhere/cloud-hypervisor is missing"));
  auto started = driver_->start(launch);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(started.error().message(), HasSubstr("/nowhere/cloud-hypervisor is missing"));

  use(AccelChoice::kTcg, SKERRY_FAKE_CLOUD_HYPERVISOR);
  available = driver_->availability();
  EXPECT_FALSE(available.available);
  EXPECT_THAT(available.reason, HasSubstr("needs hardware virtualisation"));
  started = driver_->start(launch);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
}

}  // namespace
}  // namespace skerry
