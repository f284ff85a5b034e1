#include "control/device_records.h"

#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry {
namespace {

class DeviceRecords : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(sys::mkdir_all(run_, 0700)); }
  void record(const std::string& text) { ASSERT_TRUE(write_file_atomic(run_ + "/host-devices", text, 0600)); }

  const TempDir dir_ = TempDir::create("records").value();
  const std::string run_ = dir_ / "environments/a";
  const std::string kept_ = dir_ / "host-devices/a";
};

// Of a daemon that is killed when the run directory has gone the next one still knows them.
TEST_F(DeviceRecords, OutliveTheRunDirectory) {
  record("not a record\n");
  ASSERT_TRUE(keep_device_record(run_, dir_.path(), "a"));
  ASSERT_TRUE(sys::remove_tree(run_));
  EXPECT_TRUE(keep_device_record(run_, dir_.path(), "a")) << "again";
  EXPECT_EQ(read_file(kept_).value(), "not a record\n");
  give_back_devices(dir_.path());
  EXPECT_TRUE(sys::exists(kept_)) << "what cannot be given back is not forgotten";
}

TEST_F(DeviceRecords, GoWhenTheDevicesAreBack) {
  record("ffff:ff:1f.7 4095 nic\n");  // no such device: nothing to give back
  ASSERT_TRUE(keep_device_record(run_, dir_.path(), "a"));
  give_back_devices(dir_.path());
  EXPECT_FALSE(sys::exists(kept_));
}

TEST_F(DeviceRecords, NothingIsNothing) {
  EXPECT_TRUE(keep_device_record(run_, dir_.path(), "a"));
  give_back_devices(dir_.path());
  EXPECT_FALSE(sys::exists(dir_ / "host-devices"));
}

}  // namespace
}  // namespace skerry
