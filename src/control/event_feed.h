// EventFeed: tells any number of listeners that new events are stored. They read the events themselves, from the store.
//
// Listeners are called on the thread that stored the event, with no lock of the store held, and must be short.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "store/store.h"

namespace skerry {

class EventFeed {
 public:
  using Listener = std::function<void(std::uint64_t last_id)>;

  // Becomes the store's one listener; outlives every subscription.
  explicit EventFeed(Store& store);
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // Ends the subscription when it goes; after that the listener is not running and will not be called.
  class Subscription {
   public:
    Subscription() = default;
    Subscription(EventFeed* feed, std::uint64_t key) : feed_(feed), key_(key) {}
    Subscription(Subscription&& other) noexcept : feed_(std::exchange(other.feed_, nullptr)), key_(other.key_) {}
    Subscription& operator=(Subscription&& other) noexcept;
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;
    ~Subscription() { end(); }

   private:
    void end();
    EventFeed* feed_ = nullptr;
    std::uint64_t key_ = 0;
  };
  [[nodiscard]] Subscription subscribe(Listener listener);

 private:
  void tell(std::uint64_t last_id);

  std::mutex mutex_;
  std::map<std::uint64_t, Listener> listeners_;
  std::uint64_t next_key_ = 1;
};

}  // namespace skerry
