#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/pci/pci_testing.h"

namespace skerry::pci {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kCard = "0000:01:00.0";
constexpr const char* kSound = "0000:01:00.1";
constexpr const char* kNic = "0000:02:00.0";

class PciTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto* name : {"nvgpu", "sound", "nic", "vfio-pci"}) sysfs_.driver(name);
    sysfs_.device("0000:00:01.0", "0x8086", "0x1901", 1, "", "0x060400");
    sysfs_.device(kCard, "0x10de", "0x1b80", 1, "nvgpu", "0x030000");
    sysfs_.device(kSound, "0x10de", "0x10f0", 1, "", "0x040300");
    sysfs_.device(kNic, "0x8086", "0x10fb", 2, "nic");
  }
  Result<std::vector<Binding>> plan(std::vector<std::string> addresses, std::vector<std::string> allowed) {
    return plan_passthrough(read_pci_tree(sysfs_.root()).value(), {std::move(addresses), std::move(allowed)});
  }
  std::string refusal(std::vector<std::string> addresses, std::vector<std::string> allowed, ErrorCode code) {
    const auto made = plan(std::move(addresses), std::move(allowed));
    EXPECT_FALSE(made);
    if (made) return {};
    EXPECT_EQ(made.error().code, code) << made.error().message();
    return made.error().message();
  }

  FakeSysfs sysfs_;
  TempDir dir_ = TempDir::create("pci").value();
  std::string record_ = dir_ / "devices";
};

TEST_F(PciTest, AddressesAndKindsAreStrict) {
  EXPECT_EQ(PciAddress::parse("01:00.1")->text(), kSound);
  EXPECT_EQ(PciAddress::parse("0000:1f:1f.7")->text(), "0000:1f:1f.7");
  for (const auto* text : {"", "0000:01:00.8", "0000:01:20.0", "0000:01:00", "../../../etc", "0000:01:00.0/..",
                           "0000-01:00.0", "+000:01:00.0", "01:00.0\n"}) {
    EXPECT_FALSE(PciAddress::parse(text)) << text;
  }
  EXPECT_EQ(PciKind::parse("8086:10fb")->text(), "8086:10fb");
  for (const auto* text : {"", "8086", "8086:", "8086:10fbx", "0x8086:10fb", "*:*", ":"}) {
    EXPECT_FALSE(PciKind::parse(text)) << text;
  }
}

TEST_F(PciTest, AWholeGroupIsGiven_WithoutItsBridge) {
  const auto made = plan({kSound, kCard}, {"10de:1b80", "10de:10f0"});
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_THAT(*made,
              ElementsAre(Binding{*PciAddress::parse(kCard), 1, "nvgpu"}, Binding{*PciAddress::parse(kSound), 1, ""}));
}

TEST_F(PciTest, WhatIsNotAllowedIsRefusedWithTheReason) {
  EXPECT_THAT(refusal({kCard}, {"10de:1b80"}, ErrorCode::kRefused), HasSubstr("IOMMU group 1 with 0000:01:00.1"));
  EXPECT_THAT(refusal({kNic}, {}, ErrorCode::kRefused), HasSubstr("(8086:10fb): its kind is not in the allow-list"));
  EXPECT_THAT(refusal({"0000:00:01.0"}, {"8086:1901"}, ErrorCode::kRefused), HasSubstr("bridge"));
  EXPECT_THAT(refusal({"0000:03:00.0"}, {}, ErrorCode::kNotFound), HasSubstr("no PCI device 0000:03:00.0"));
  EXPECT_THAT(refusal({kNic, "02:00.0"}, {"8086:10fb"}, ErrorCode::kInvalidArgument), HasSubstr("twice"));
  EXPECT_THAT(refusal({"eth0"}, {}, ErrorCode::kInvalidArgument), HasSubstr("not a PCI address"));
  EXPECT_THAT(refusal({kNic}, {"all"}, ErrorCode::kInvalidArgument), HasSubstr("not VENDOR:DEVICE"));
}

TEST_F(PciTest, WithoutAnIommuNothingIsGiven) {
  sysfs_.device("0000:04:00.0", "0x8086", "0x10fb", -1, "nic");
  EXPECT_THAT(refusal({"0000:04:00.0"}, {"8086:10fb"}, ErrorCode::kUnsupported), HasSubstr("no IOMMU"));
  EXPECT_TRUE(read_pci_tree(sysfs_.root())->has_iommu());
  EXPECT_FALSE(read_pci_tree(dir_.path())->has_iommu()) << "no bus at all";
}

TEST_F(PciTest, TakesAndGivesBackToTheOldDriver) {
  const PassthroughRequest wanted{{kCard, kSound}, {"10de:1b80", "10de:10f0"}};
  const auto bindings = plan(wanted.addresses, wanted.allowed).value();
  const auto binder = sysfs_.binder();
  EXPECT_EQ(binder.take(wanted, record_).value(), bindings);
  EXPECT_EQ(sysfs_.driver_of(kCard), "vfio-pci");
  EXPECT_EQ(sysfs_.driver_of(kSound), "vfio-pci");
  EXPECT_EQ(sysfs_.written.front(), cat("/bus/pci/devices/", kCard, "/driver_override vfio-pci"))
      << "before the unbind";
  EXPECT_EQ(binder.take(wanted, dir_ / "second").error().code, ErrorCode::kConflict);
  EXPECT_FALSE(sys::exists(dir_ / "second"));
  EXPECT_EQ(binder.take({{kNic}, {"8086:10fb"}}, record_).error().code, ErrorCode::kAlreadyExists);
  EXPECT_THAT(refusal({kCard, kSound}, {"10de:1b80", "10de:10f0"}, ErrorCode::kConflict), HasSubstr("a guest already"));

  ASSERT_TRUE(binder.give_back(record_));
  EXPECT_EQ(sysfs_.driver_of(kCard), "nvgpu");
  EXPECT_EQ(sysfs_.driver_of(kSound), "");
  EXPECT_EQ(sysfs_.override_of(kCard), "(null)\n");
  EXPECT_FALSE(sys::exists(record_));
  EXPECT_TRUE(binder.give_back(record_)) << "again";
}

TEST_F(PciTest, AFailureHalfWayGivesBackWhatWasTaken) {
  sysfs_.refuses = cat("/bus/pci/drivers_probe ", kSound);
  const auto taken = sysfs_.binder().take({{kCard, kSound}, {"10de:1b80", "10de:10f0"}}, record_);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message(), HasSubstr(kSound));
  EXPECT_EQ(sysfs_.driver_of(kCard), "nvgpu");
  EXPECT_EQ(sysfs_.driver_of(kSound), "");
  EXPECT_FALSE(sys::exists(record_));
}

// A daemon killed after any write: the next one finds the record, and gives back what it names.
TEST_F(PciTest, WhatAKilledDaemonTookIsGivenBackFromAnyPoint) {
  for (const std::string& last : {cat("/bus/pci/devices/", kNic, "/driver_override vfio-pci"),
                                  cat("/bus/pci/drivers/nic/unbind ", kNic), cat("/bus/pci/drivers_probe ", kNic)}) {
    bool dead = false;
    const DeviceBinder half(sysfs_.root(), sysfs_.lock(),
                            [&](const std::string& path, std::string_view content) -> Status {
                              if (dead) return fail(ErrorCode::kIo, "killed");
                              dead = cat(path.substr(sysfs_.root().size()), " ", content) == last;
                              return sysfs_.write_as_kernel(path, content);
                            });
    static_cast<void>(half.take({{kNic}, {"8086:10fb"}}, record_));
    ASSERT_TRUE(sys::exists(record_)) << last;
    ASSERT_TRUE(sysfs_.binder().give_back(record_)) << last;
    EXPECT_EQ(sysfs_.driver_of(kNic), "nic") << last;
    EXPECT_EQ(sysfs_.override_of(kNic), "(null)\n");
  }
}

// Two starts of two daemons: neither plans while the other one changes, in either direction.
TEST_F(PciTest, OneOfTheHostAtATime) {
  int looked = 0;
  const DeviceBinder binder(sysfs_.root(), sysfs_.lock(), [&](const std::string& path, std::string_view content) {
    const Fd other = sys::open(sysfs_.lock(), O_RDWR).value();
    const auto held = sys::flock(other.get(), sys::LockMode::kExclusive, sys::LockWait::kTry);
    EXPECT_FALSE(held) << path;
    ++looked;
    return sysfs_.write_as_kernel(path, content);
  });
  ASSERT_TRUE(binder.take({{kNic}, {"8086:10fb"}}, record_));
  const int taken = looked;
  EXPECT_GT(taken, 0);
  ASSERT_TRUE(binder.give_back(record_));
  EXPECT_GT(looked, taken);
}

TEST_F(PciTest, WithoutVfioNothingIsTouched) {
  ASSERT_TRUE(sys::remove_tree(sysfs_.root() + "/bus/pci/drivers/vfio-pci"));
  const auto taken = sysfs_.binder().take({{kNic}, {"8086:10fb"}}, record_);
  EXPECT_EQ(taken.error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(sysfs_.written.empty());
  EXPECT_FALSE(sys::exists(record_));
}

TEST_F(PciTest, ARecordThatIsNoneIsRefused) {
  const std::vector<Binding> bindings{{*PciAddress::parse(kNic), 2, "nic"}, {*PciAddress::parse(kSound), 1, ""}};
  EXPECT_EQ(decode_record(encode_record(bindings)).value(), bindings);
  for (const auto* text : {"x", "0000:02:00.0 2", "0000:02:00.0 2 ../../x", "0000:02:00.0 x nic", "0000:02:00.0 2 ..",
                           "0000:02:00.0 2 nic more"}) {
    EXPECT_EQ(decode_record(text).error().code, ErrorCode::kCorrupt) << text;
  }
}

}  // namespace
}  // namespace skerry::pci
