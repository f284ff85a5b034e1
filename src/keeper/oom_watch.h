// OomWatch: whether the kernel's OOM killer struck in the memory cgroup of a process.
//
// v2: memory.events, oom_kill (Documentation/admin-guide/cgroup-v2.rst). v1: memory.oom_control, oom_kill
// (cgroup-v1/memory.rst). The count is read before and after: a cgroup may have been used before.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace skerry::keeper {

class OomWatch {
 public:
  // Of this file (base/cgroup_paths.h, oom_count_file). Without one it answers nullopt later.
  explicit OomWatch(std::string path);
  // Finds the cgroup of `pid`.
  static OomWatch of_process(pid_t pid);
  // Whether there was an OOM kill since; nullopt: not known.
  [[nodiscard]] std::optional<bool> struck() const;

 private:
  std::string path_;  // of the events file; empty: none
  std::uint64_t before_ = 0;
};

}  // namespace skerry::keeper
