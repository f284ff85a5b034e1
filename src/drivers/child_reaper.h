// ChildReaper: waits for children nobody else waits for, so that none stays a zombie.
//
// For children whose end matters only to the peer of their socket (`skerry-keeper exec`). One thread, started with the
// first child; it ends with the reaper. Children that are still alive then are left alone.
#pragma once

#include <memory>
#include <mutex>

#include "base/process.h"
#include "base/result.h"

namespace skerry {

class ChildReaper {
 public:
  ChildReaper();
  ~ChildReaper();
  ChildReaper(ChildReaper&&) noexcept;
  ChildReaper& operator=(ChildReaper&&) = delete;
  ChildReaper(const ChildReaper&) = delete;
  ChildReaper& operator=(const ChildReaper&) = delete;

  // Takes the child over. Thread-safe.
  Status adopt(Child child);

 private:
  struct Worker;
  std::unique_ptr<std::mutex> mutex_;
  std::unique_ptr<Worker> worker_;  // none before the first child
};

}  // namespace skerry
