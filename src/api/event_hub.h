// EventHub: wakes whoever streams events when the store has new ones.
//
// It carries no events: a reader asks the store for what came after its last id, so that a slow reader costs nothing,
// loses nothing, and a reconnecting one goes on where it was.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::api {

class EventHub {
 public:
  // One reader's bell: polls readable after new events, until cleared.
  class Bell {
   public:
    explicit Bell(Fd event_fd) : fd_(std::move(event_fd)) {}
    [[nodiscard]] int fd() const { return fd_.get(); }
    void ring() const;
    // Clear first, then look: a ring in between is kept.
    void clear() const;

   private:
    Fd fd_;
  };

  Result<std::shared_ptr<Bell>> subscribe();
  // Called by the store, from any thread.
  void ring(std::uint64_t last_id);
  [[nodiscard]] std::uint64_t last_id() const { return last_id_; }
  [[nodiscard]] std::size_t readers();

 private:
  std::atomic<std::uint64_t> last_id_{0};
  std::mutex mutex_;
  std::vector<std::weak_ptr<Bell>> bells_;
};

}  // namespace skerry::api
