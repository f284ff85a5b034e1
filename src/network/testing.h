// For the tests of this folder and tests/system/: a private host. Each test gets a network and a mount namespace of its
// own, so that nothing it makes can be seen, or left, on the real one. Sockets made "in" a namespace work from any
// thread, so a test plays all parties itself.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>

#include "base/sys_namespace.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "core/net.h"
#include "network/link.h"
#include "network/netns.h"

namespace skerry::network {

inline constexpr int kReachableMs = 2000;   // how long something that must arrive may take
inline constexpr int kUnreachableMs = 300;  // how long to watch that something does not arrive

inline std::string message_of(const Status& status) { return status ? "ok" : status.error().message(); }
#define ASSERT_OK(expression)                              \
  do {                                                     \
    const auto& assert_ok = (expression);                  \
    ASSERT_TRUE(assert_ok) << assert_ok.error().message(); \
  } while (false)

class PrivateHost : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root (network namespaces)";
    ASSERT_OK(sys::unshare(CLONE_NEWNET | CLONE_NEWNS));
    ASSERT_OK(sys::mount({}, "/", {}, MS_REC | MS_PRIVATE));
    netlink_.emplace(Netlink::open().value());
    ASSERT_OK(set_link_up(*netlink_, "lo"));
    temp_.emplace(TempDir::create("skerry-network-").value());
    host_ = current_netns().value();
  }
  void TearDown() override {
    // The mounts of this namespace would keep the directory from being removed.
    for (const auto& path : made_) static_cast<void>(remove_netns(path));
  }

  // A new namespace; its path is remembered for the end.
  std::string make_netns(const std::string& name) {
    const std::string path = *temp_ / name;
    const auto made = create_netns(path);
    EXPECT_TRUE(made) << message_of(made);
    made_.push_back(path);
    return path;
  }
  Netlink& netlink() { return *netlink_; }
  [[nodiscard]] int host() const { return host_.get(); }
  [[nodiscard]] const TempDir& temp() const { return *temp_; }

 private:
  std::optional<Netlink> netlink_;
  std::optional<TempDir> temp_;
  std::vector<std::string> made_;
  Fd host_;
};

inline sockaddr_in socket_address(const std::string& ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(Ipv4::parse(ip).value().value);
  return address;
}

inline Fd socket_in(int netns, int type) {
  Fd made;
  static_cast<void>(run_in_netns(netns, [&]() -> Status {
    made = Fd(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return {};
  }));
  EXPECT_TRUE(made);
  return made;
}

// Bound to `ip`:`port`, and listening when it is a stream.
inline Fd serve_in(int netns, const std::string& ip, std::uint16_t port, int type = SOCK_STREAM) {
  Fd server = socket_in(netns, type);
  const auto address = socket_address(ip, port);
  EXPECT_EQ(::bind(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << errno;
  const bool ready = type != SOCK_STREAM || ::listen(server.get(), 16) == 0;
  EXPECT_TRUE(ready) << errno;
  return server;
}

// A connected stream, or the errno why not (ETIMEDOUT when nothing came back in time).
struct Connection {
  Fd socket;
  int error = 0;
};
inline Connection connect_in(int netns, const std::string& ip, std::uint16_t port, int timeout_ms = kReachableMs) {
  Connection out{socket_in(netns, SOCK_STREAM), 0};
  const auto address = socket_address(ip, port);
  if (::connect(out.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return out;
  if (errno != EINPROGRESS) {
    out.error = errno;
    return out;
  }
  pollfd wait{out.socket.get(), POLLOUT, 0};
  if (::poll(&wait, 1, timeout_ms) == 0) {
    out.error = ETIMEDOUT;
    return out;
  }
  socklen_t size = sizeof out.error;
  ::getsockopt(out.socket.get(), SOL_SOCKET, SO_ERROR, &out.error, &size);
  return out;
}

// The address the server sees a new connection come from, or "" when none waits.
inline std::string accepted_from(int server) {
  pollfd wait{server, POLLIN, 0};
  if (::poll(&wait, 1, kReachableMs) != 1) return "";
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const Fd accepted(::accept4(server, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
  return accepted ? Ipv4{ntohl(peer.sin_addr.s_addr)}.text() : "";
}

}  // namespace skerry::network
