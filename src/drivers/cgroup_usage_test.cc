#include "drivers/cgroup_usage.h"

#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/temp_dir.h"

namespace skerry {
namespace {

class CgroupUsageTest : public testing::Test {
 protected:
  void put(const std::string& name, std::string_view content) {
    ASSERT_TRUE(write_file_atomic(dir_ / name, content, 0600));
  }
  TempDir dir_ = TempDir::create("cgroup-usage").value();
};

TEST_F(CgroupUsageTest, ReadsTheUnifiedHierarchy) {
  put("cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n");
  put("memory.current", "4096\n");
  put("memory.peak", "8192\n");
  put("pids.current", "3\n");
  put("io.stat", "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=1 wbytes=2\n");
  put("cgroup.events", "populated 1\nfrozen 1\n");
  const CgroupDirectories directories{{"", dir_.path()}};
  const auto sample = read_cgroup_usage(directories);
  EXPECT_EQ(sample.cpu_ns, 1'500'000U);
  EXPECT_EQ(sample.memory_bytes, 4096U);
  EXPECT_EQ(sample.memory_peak_bytes, 8192U);
  EXPECT_EQ(sample.pids, 3U);
  EXPECT_EQ(sample.io_read_bytes, 11U);
  EXPECT_EQ(sample.io_write_bytes, 22U);
  EXPECT_TRUE(is_frozen(directories));
  put("cgroup.events", "populated 1\nfrozen 0\n");
  EXPECT_FALSE(is_frozen(directories));
}

TEST_F(CgroupUsageTest, ReadsV1Hierarchies) {
  put("cpuacct.usage", "123456789\n");
  put("memory.usage_in_bytes", "4096\n");
  put("memory.max_usage_in_bytes", "8192\n");
  put("pids.current", "3\n");
  put("blkio.throttle.io_service_bytes_recursive", "8:0 Read 10\n8:0 Write 20\n8:0 Total 30\n8:16 Read 1\nTotal 31\n");
  put("freezer.state", "FROZEN\n");
  CgroupDirectories directories;
  for (const auto* name : {"cpuacct", "memory", "pids", "blkio", "freezer"}) directories[name] = dir_.path();
  const auto sample = read_cgroup_usage(directories);
  EXPECT_EQ(sample.cpu_ns, 123'456'789U);
  EXPECT_EQ(sample.memory_bytes, 4096U);
  EXPECT_EQ(sample.memory_peak_bytes, 8192U);
  EXPECT_EQ(sample.pids, 3U);
  EXPECT_EQ(sample.io_read_bytes, 11U);
  EXPECT_EQ(sample.io_write_bytes, 20U);
  EXPECT_TRUE(is_frozen(directories));
  put("freezer.state", "THAWED\n");
  EXPECT_FALSE(is_frozen(directories));
}

TEST_F(CgroupUsageTest, WhatIsNotCountedStaysUnset) {
  for (const auto& directories : {CgroupDirectories{}, CgroupDirectories{{"", dir_.path()}}}) {
    const auto sample = read_cgroup_usage(directories);
    EXPECT_FALSE(sample.cpu_ns || sample.memory_bytes || sample.memory_peak_bytes || sample.pids);
    EXPECT_FALSE(sample.io_read_bytes || sample.io_write_bytes || sample.net_rx_bytes);
    EXPECT_FALSE(is_frozen(directories));
  }
}

TEST(NetworkUsage, AddsUpAllButLoopback) {
  UsageSample sample;
  add_network_usage(
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls\n"
      "    lo:     999       1    0    0    0     0          0         0      999       1    0    0    0     0\n"
      "  eth0:     100       1    0    0    0     0          0         0      200       1    0    0    0     0\n"
      "  eth1:10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n",
      sample);
  EXPECT_EQ(sample.net_rx_bytes, 110U);
  EXPECT_EQ(sample.net_tx_bytes, 220U);
}

TEST(NetworkUsage, OfAPortIsSeenFromInside) {
  const std::string_view host =
      "    lo:     999       1    0    0    0     0          0         0      999       1    0    0    0     0\n"
      "skaaaa123456789:     100       1    0    0    0     0          0         0      200       1    0    0    0     "
      "0\n"
      "skaaaa987654321:     300       1    0    0    0     0          0         0      400       1    0    0    0     "
      "0\n";
  UsageSample sample;
  add_port_usage(host, "987654321", sample);
  EXPECT_EQ(sample.net_rx_bytes, 400U);
  EXPECT_EQ(sample.net_tx_bytes, 300U);
  UsageSample none;
  add_port_usage(host, "111111111", none);
  EXPECT_FALSE(none.net_rx_bytes || none.net_tx_bytes);
}

TEST(CgroupsFile, RoundTrips) {
  const CgroupDirectories directories{{"", "/sys/fs/cgroup/unified"}, {"memory", "/sys/fs/cgroup/memory/a b"}};
  EXPECT_EQ(decode_cgroups(encode_cgroups(directories)), directories);
  EXPECT_TRUE(decode_cgroups("").empty());
}

}  // namespace
}  // namespace skerry
