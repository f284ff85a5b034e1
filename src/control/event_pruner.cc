#include "control/event_pruner.h"

#include <algorithm>

#include "base/log.h"

namespace skerry {
namespace {

constexpr std::uint64_t kSlack = 16;  // parts of what is kept

}  // namespace

EventPruner::EventPruner(Store& store, EventFeed& feed, std::uint64_t keep) : store_(store), keep_(keep) {
  subscription_ = feed.subscribe([this](std::uint64_t last_id) {
    const std::lock_guard lock(mutex_);
    if (last_id < due_at_) return;
    due_ = true;
    wake_.notify_one();
  });
  thread_ = std::thread([this] { run(); });
}

EventPruner::~EventPruner() {
  subscription_ = {};
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void EventPruner::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return due_ || stopping_; });
    if (stopping_) return;
    due_ = false;
    lock.unlock();
    const auto last = store_.last_event_id();
    if (auto pruned = store_.prune_events(keep_); !pruned) {
      log::warning("old events stay", {{"error", pruned.error().message()}});
    }
    lock.lock();
    if (last) due_at_ = *last + std::max<std::uint64_t>(keep_ / kSlack, 1);
  }
}

}  // namespace skerry
