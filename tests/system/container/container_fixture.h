// A host for containers, as large as one test: directories, a bridge, a control group, a driver, a busybox root file
// system. Everything stands in the test program's own mount and network namespaces; what is left at the end of a test
// is a failure of it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/temp_dir.h"
#include "drivers/container/container_driver.h"

namespace skerry::testing {

inline constexpr Duration kDeadline = std::chrono::seconds(30);

struct ExecOutcome {
  std::string out;
  std::string err;
  int code = -1;
};

// Where things are, for this process and for helpers that a test kills.
struct HostPaths {
  std::string root;  // the test's directory
  [[nodiscard]] std::string images() const { return root + "/images"; }
  [[nodiscard]] std::string runtime_root() const { return root + "/oci"; }
  [[nodiscard]] std::string rootfs() const { return root + "/rootfs"; }
  [[nodiscard]] EnvironmentPlace place(const std::string& id) const;
  // The control group of every container of this test.
  [[nodiscard]] std::string cgroup_parent() const;
};
JailConfig jail_config(const HostPaths& paths);
// The runtime under test.
std::string runtime_path();

class ContainerTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // `sh -c SCRIPT` in the busybox root file system.
  [[nodiscard]] Launch shell(const std::string& script, const std::string& id = "00000000000000a1") const;
  // eth0 on the test's bridge.
  [[nodiscard]] NetworkAttachment attachment(const std::string& ip) const;

  // start(), which must succeed.
  Started start(const Launch& launch);
  // Waits for the end of the run and answers how it was.
  Observation await_exit(const Launch& launch);
  Observation observe(const Launch& launch);
  // Starts, waits, and answers what it wrote (to both streams).
  std::string run_to_end(const Launch& launch, int expected_code = 0);
  // The log's texts up to `needle`, waiting for it.
  std::string await_log(const Launch& launch, const std::string& needle);
  std::string read_log(const Launch& launch);
  ExecOutcome exec(const Launch& launch, const ExecSpec& spec, const std::string& input = {});
  ExecOutcome exec_shell(const Launch& launch, const std::string& script);
  void collect(const Launch& launch);
  // What is left of `launch` on the host; empty when nothing is.
  [[nodiscard]] std::vector<std::string> residue() const;

  TempDir dir_ = TempDir::create("container").value();
  HostPaths paths_{dir_.path()};
  std::unique_ptr<ImageStore> images_;
  std::unique_ptr<Driver> driver_;
};

// Reads a conversation to its end.
ExecOutcome converse(const Conversation& conversation, const std::string& input = {});

}  // namespace skerry::testing
