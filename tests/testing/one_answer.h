// A server of one connection, for clients of HTTP.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "base/fd.h"
#include "control/probe.h"

namespace skerry::testing {

// Takes one connection, reads until it has seen `until`, answers and closes.
class OneAnswer {
 public:
  OneAnswer(std::string until, std::string answer) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, until = std::move(until), answer = std::move(answer)] {
      const Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char buffer[4096];
      while (asked_.find(until) == std::string::npos) {
        const auto got = ::recv(peer.get(), buffer, sizeof buffer, 0);
        if (got <= 0) return;
        asked_.append(buffer, static_cast<std::size_t>(got));
      }
      for (std::size_t at = 0; at < answer.size();) {
        const auto sent = ::send(peer.get(), answer.data() + at, answer.size() - at, MSG_NOSIGNAL);
        if (sent <= 0) return;
        at += static_cast<std::size_t>(sent);
      }
    });
  }
  ~OneAnswer() { join(); }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] ProbeTarget target() const { return {"127.0.0.1", port_, "/x"}; }
  [[nodiscard]] const std::string& asked() const { return asked_; }

 private:
  Fd listener_;
  std::uint16_t port_ = 0;
  std::string asked_;
  std::thread thread_;
};

constexpr auto kPatience = std::chrono::seconds(10);

}  // namespace skerry::testing
