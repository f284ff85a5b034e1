// OomWatch: tells when the kernel ended a process of the container because its memory was used up.
//
// v2: memory.events is notified by POLLPRI, its line "oom_kill" counts. v1: an eventfd registered for
// memory.oom_control through cgroup.event_control (Documentation/admin-guide/cgroup-v1/memory.rst, 9 and 10).
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "wire/oci_spec_state.h"

namespace skerry::oci {

class OomWatch {
 public:
  // kUnsupported without a memory controller.
  static Result<OomWatch> open(const CgroupRecord& record);

  // For poll(2): the descriptor and what to wait for.
  [[nodiscard]] int fd() const { return wake_.get(); }
  [[nodiscard]] short poll_events() const { return poll_events_; }
  // Takes a wake-up; whether there were kills since the last one.
  bool happened();

 private:
  OomWatch(std::string counter_file, Fd wake, short poll_events)
      : counter_file_(std::move(counter_file)), wake_(std::move(wake)), poll_events_(poll_events), seen_(count()) {}
  [[nodiscard]] std::uint64_t count() const;

  std::string counter_file_;  // has a line "oom_kill N" on both
  Fd wake_;
  short poll_events_;
  std::uint64_t seen_;
};

}  // namespace skerry::oci
