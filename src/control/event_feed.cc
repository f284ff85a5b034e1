#include "control/event_feed.h"

#include <utility>

namespace skerry {

EventFeed::EventFeed(Store& store) {
  store.on_events([this](std::uint64_t last_id) { tell(last_id); });
}

EventFeed::Subscription& EventFeed::Subscription::operator=(Subscription&& other) noexcept {
  if (this != &other) {
    end();
    feed_ = std::exchange(other.feed_, nullptr);
    key_ = other.key_;
  }
  return *this;
}

void EventFeed::Subscription::end() {
  if (feed_ == nullptr) return;
  const std::lock_guard lock(feed_->mutex_);
  feed_->listeners_.erase(key_);
  feed_ = nullptr;
}

EventFeed::Subscription EventFeed::subscribe(Listener listener) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t key = next_key_++;
  listeners_[key] = std::move(listener);
  return {this, key};
}

void EventFeed::tell(std::uint64_t last_id) {
  // Under the lock, so that an ended subscription is really over.
  const std::lock_guard lock(mutex_);
  for (const auto& [key, listener] : listeners_) listener(last_id);
}

}  // namespace skerry
