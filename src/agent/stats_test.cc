#include "agent/stats.h"

#include <gtest/gtest.h>

namespace skerry::agent {
namespace {

TEST(Stats, ReadsWhatTheKernelWrites) {
  wire::GuestStats stats;
  read_meminfo("MemTotal:         117836 kB\nMemFree:  1 kB\nMemAvailable:      90000 kB\n", stats);
  EXPECT_EQ(stats.memory_total_bytes, 117836U * 1024);
  EXPECT_EQ(stats.memory_available_bytes, 90000U * 1024);
  read_stat("cpu  10 5 20 400 100 3 2 0 0 0\ncpu0 1 1 1 1\n", 100, stats);
  EXPECT_EQ(stats.cpu_user_ms, 150U);
  EXPECT_EQ(stats.cpu_system_ms, 250U);
  EXPECT_EQ(stats.cpu_idle_ms, 5000U);
  read_net_dev(
      "Inter-|   Receive\n face |bytes\n    lo: 99 1 0 0 0 0 0 0 99 1\n  eth0: 1000 7 0 0 0 0 0 0 2000 9 0 0 0 0 0 0\n",
      stats);
  EXPECT_EQ(stats.network_received_bytes, 1000U);
  EXPECT_EQ(stats.network_sent_bytes, 2000U);
}

TEST(Stats, CountsOomKills) {
  EXPECT_EQ(oom_kills_in("nr_free_pages 1\noom_kill 31\nnuma_hit 5\n"), 31U);
  EXPECT_EQ(oom_kills_in("nr_free_pages 1\n"), 0U);
}

TEST(Stats, NonsenseIsZero) {
  wire::GuestStats stats;
  read_meminfo("MemTotal: x\n", stats);
  read_stat("", 100, stats);
  read_stat("cpu", 0, stats);
  read_net_dev("eth0:", stats);
  EXPECT_EQ(stats.memory_total_bytes + stats.cpu_user_ms + stats.network_received_bytes, 0U);
}

TEST(Stats, SamplesThisMachine) {
  const auto stats = sample_stats();
  EXPECT_GT(stats.memory_total_bytes, stats.memory_available_bytes);
  EXPECT_GT(stats.processes, 0U);
  EXPECT_GT(stats.agent_resident_bytes, 0U);
}

}  // namespace
}  // namespace skerry::agent
