#include "api/event_hub.h"

#include <sys/eventfd.h>

#include <algorithm>

#include "base/log.h"
#include "wire/event_json.h"

namespace skerry::api {

void EventHub::Bell::ring() const {
  // EAGAIN: it is ringing already.
  static_cast<void>(::eventfd_write(fd_.get(), 1));
}

void EventHub::Bell::clear() const {
  eventfd_t count = 0;
  static_cast<void>(::eventfd_read(fd_.get(), &count));
}

void EventHub::start() {
  const std::lock_guard lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void EventHub::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Result<std::shared_ptr<EventHub::Bell>> EventHub::subscribe() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return fail_errno("eventfd");
  auto bell = std::make_shared<Bell>(std::move(fd));
  const std::lock_guard lock(mutex_);
  std::erase_if(bells_, [](const auto& each) { return each.expired(); });
  bells_.push_back(bell);
  return bell;
}

void EventHub::ring(std::uint64_t last_id) {
  {
    const std::lock_guard lock(mutex_);
    last_id_ = last_id;
  }
  wake_.notify_one();
}

std::size_t EventHub::readers() {
  const std::lock_guard lock(mutex_);
  std::erase_if(bells_, [](const auto& each) { return each.expired(); });
  return bells_.size();
}

std::optional<EventHub::Frames> EventHub::after(std::uint64_t id, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  if (id < floor_) return std::nullopt;
  const auto first =
      std::ranges::upper_bound(frames_, id, {}, [](const auto& each) -> std::uint64_t { return each->event.id; });
  const auto count = std::min(limit, static_cast<std::size_t>(frames_.end() - first));
  return Frames(first, first + static_cast<std::ptrdiff_t>(count));
}

bool EventHub::reaches(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  return id >= floor_;
}

void EventHub::run() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || last_id_ > published_; });
      if (stopping_) return;
    }
    publish();
    std::unique_lock lock(mutex_);
    if (wake_.wait_for(lock, kPace, [this] { return stopping_; })) return;
  }
}

void EventHub::publish() {
  {
    // Together: one who subscribes meanwhile finds either the ring or, behind it, the store.
    const std::lock_guard lock(mutex_);
    std::erase_if(bells_, [](const auto& each) { return each.expired(); });
    if (bells_.empty()) {
      frames_.clear();
      floor_ = published_ = last_id_;
      return;
    }
  }
  EventFilter filter;
  filter.after_id = published_;  // written by this thread alone
  const auto events = store_.events(filter);
  if (!events) log::error("cannot read new events", {{"error", events.error().message()}});
  Frames fresh;
  if (events) {
    for (const auto& event : *events) {
      fresh.push_back(std::make_shared<const Frame>(Frame{event, wire::server_sent_event(event)}));
    }
  }
  const std::lock_guard lock(mutex_);
  // Nothing there although something was stored: it has been pruned already, and the store says so to everybody.
  published_ = fresh.empty() ? last_id_.load() : fresh.back()->event.id;
  if (fresh.empty()) floor_ = published_;
  frames_.insert(frames_.end(), fresh.begin(), fresh.end());
  while (frames_.size() > kMaxFrames || (!frames_.empty() && frames_.front()->event.id <= floor_)) {
    floor_ = std::max(floor_, frames_.front()->event.id);
    frames_.pop_front();
  }
  for (const auto& each : bells_) {
    if (const auto bell = each.lock()) bell->ring();
  }
}

bool passes(const EventFilter& filter, const Event& event) {
  const bool noun = filter.type.ends_with('.');
  const bool type = filter.type.empty() || (noun ? event.type.starts_with(filter.type) : event.type == filter.type);
  return type && (filter.resource.empty() || filter.resource == event.resource);
}

}  // namespace skerry::api
