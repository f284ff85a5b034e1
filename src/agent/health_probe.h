// HealthProbe: asks the workload over HTTP at an interval (C39) and tells when its health changes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/http_url.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

// One success is health; `retries` failures in a row are its loss. Pure.
class HealthTracker {
 public:
  explicit HealthTracker(std::uint32_t retries) : retries_(retries) {}
  // The new health when it changed: also the first one that is known.
  std::optional<bool> record(bool success);

 private:
  std::uint32_t retries_;
  std::uint32_t failures_ = 0;
  std::optional<bool> healthy_;
};

class HealthProbe {
 public:
  using Changed = std::function<void(bool healthy, const std::string& reason)>;
  HealthProbe(EventLoop& loop, const wire::GuestHealthCheck& check, HttpUrl url, Changed changed);
  ~HealthProbe();
  HealthProbe(const HealthProbe&) = delete;
  HealthProbe& operator=(const HealthProbe&) = delete;

 private:
  void ask();
  void on_events(std::uint32_t events);
  void finish(bool success, const std::string& reason);

  EventLoop& loop_;
  wire::GuestHealthCheck check_;
  HttpUrl url_;
  Changed changed_;
  HealthTracker tracker_;
  Fd socket_;
  std::string request_;
  std::string answer_;
  EventLoop::TimerId timer_ = 0;
};

}  // namespace skerry::agent
