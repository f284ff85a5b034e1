#include "api/event_hub.h"

#include <sys/eventfd.h>

namespace skerry::api {

void EventHub::Bell::ring() const {
  // EAGAIN: it is ringing already.
  static_cast<void>(::eventfd_write(fd_.get(), 1));
}

void EventHub::Bell::clear() const {
  eventfd_t count = 0;
  static_cast<void>(::eventfd_read(fd_.get(), &count));
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
  last_id_ = last_id;
  const std::lock_guard lock(mutex_);
  for (const auto& each : bells_) {
    if (const auto bell = each.lock()) bell->ring();
  }
}

std::size_t EventHub::readers() {
  const std::lock_guard lock(mutex_);
  std::erase_if(bells_, [](const auto& each) { return each.expired(); });
  return bells_.size();
}

}  // namespace skerry::api
