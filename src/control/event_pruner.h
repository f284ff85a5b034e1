// EventPruner: keeps the event log at its length: the newest `keep` events, and at most a sixteenth more for a while,
// so that a busy log is not pruned at every event. Looks when it is made and when events are stored, never otherwise.
// Ids of events that are gone are never given again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "control/event_feed.h"
#include "store/store.h"

namespace skerry {

class EventPruner {
 public:
  // Both ports outlive this. `keep`: at least 1.
  EventPruner(Store& store, EventFeed& feed, std::uint64_t keep);
  ~EventPruner();
  EventPruner(const EventPruner&) = delete;
  EventPruner& operator=(const EventPruner&) = delete;

 private:
  void run();

  Store& store_;
  const std::uint64_t keep_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::uint64_t due_at_ = 0;  // the id from which on it is time again
  bool due_ = true;
  bool stopping_ = false;
  EventFeed::Subscription subscription_;
  std::thread thread_;
};

}  // namespace skerry
