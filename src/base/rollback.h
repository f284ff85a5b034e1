// Rollback: the undo list of a multi-step operation.
//
// Each step that changed something registers how to undo it; the undos run in reverse order when the Rollback goes,
// unless commit() was called. Undos must not fail loudly: they are best effort and idempotent. What a killed process
// leaves behind is the business of whoever adopts the state after a restart, never of Rollback.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace skerry {

class Rollback {
 public:
  Rollback() = default;
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  Rollback(Rollback&& other) noexcept : undos_(std::exchange(other.undos_, {})) {}
  Rollback& operator=(Rollback&&) = delete;
  ~Rollback() { run(); }

  void add(std::function<void()> undo) { undos_.push_back(std::move(undo)); }
  // All steps stand: forget the undos.
  void commit() { undos_.clear(); }
  // Undo now, last step first.
  void run() {
    while (!undos_.empty()) {
      auto undo = std::move(undos_.back());
      undos_.pop_back();
      undo();
    }
  }

 private:
  std::vector<std::function<void()>> undos_;
};

}  // namespace skerry
