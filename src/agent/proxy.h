// Proxy: listens on port 8080 of the guest and carries connections to where the workload serves (C36, C37), so that the
// host reaches every plugin's workload at one place.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "agent/http_url.h"
#include "agent/relay.h"
#include "base/event_loop.h"
#include "base/result.h"

namespace skerry::agent {

inline constexpr std::uint16_t kProxyPort = 8080;

class Proxy {
 public:
  // kConflict when the workload itself serves on `port`: then there is nothing to do.
  static Result<std::unique_ptr<Proxy>> open(EventLoop& loop, HttpUrl target, std::uint16_t port = kProxyPort);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

 private:
  static constexpr std::size_t kMostConnections = 512;
  Proxy(EventLoop& loop, HttpUrl target, Fd listener)
      : loop_(loop), target_(std::move(target)), listener_(std::move(listener)) {}
  void accept();

  EventLoop& loop_;
  HttpUrl target_;
  Fd listener_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, std::unique_ptr<Relay>> relays_;
};

}  // namespace skerry::agent
