// A conversation as a fuzzer writes it: step by step, over real sockets, with the server's coroutines on this thread.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "api/asio.h"
#include "base/fd.h"
#include "base/unix_socket.h"

namespace skerry::fuzz {

namespace asio = api::asio;

// Ends the run with a find, and says which.
inline void demand(bool right, std::source_location where = std::source_location::current()) {
  if (right) return;
  std::fprintf(stderr, "%s:%u: not as demanded\n", where.file_name(), static_cast<unsigned>(where.line()));
  std::abort();
}

// Steps of one byte that says what, two with the size of what belongs to it (little-endian), and that. What the input
// lacks of the size is filled up, so that a short input may say much.
class Script {
 public:
  explicit Script(std::string_view text) : rest_(text) {}

  struct Step {
    std::uint8_t what = 0;
    std::string bytes;
  };
  std::optional<Step> next() {
    if (rest_.size() < 3) return std::nullopt;
    const auto at = [&](std::size_t index) { return static_cast<std::uint8_t>(rest_[index]); };
    const std::size_t size = at(1) | static_cast<std::size_t>(at(2)) << 8U;
    Step step{at(0), std::string(rest_.substr(3, size))};
    rest_.remove_prefix(3 + step.bytes.size());
    step.bytes.resize(size, 'x');
    return step;
  }

 private:
  std::string_view rest_;
};

// Our end of a connection; the server has the other.
class Side {
 public:
  Side() : Side(unix_pair().value()) {}

  // For the server, once.
  [[nodiscard]] Fd take_other() { return std::move(other_); }
  // As much as goes in at once.
  std::size_t send(std::string_view bytes) const {
    const auto sent = ::send(ours_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  // What has come; "" when nothing has, or never will again.
  [[nodiscard]] std::string receive() const {
    std::string chunk(64U << 10U, '\0');
    const auto got = ours_.valid() ? ::recv(ours_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT) : 0;
    chunk.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    return chunk;
  }
  void say_no_more() const { ::shutdown(ours_.get(), SHUT_WR); }
  void close() { ours_.reset(); }
  [[nodiscard]] bool is_open() const { return ours_.valid(); }

 private:
  explicit Side(SocketPair pair) : ours_(std::move(pair.first)), other_(std::move(pair.second)) {}
  Fd ours_;
  Fd other_;
};

// The server's coroutines.
class Server {
 public:
  asio::io_context& io() { return io_; }
  void start(asio::awaitable<void> coroutine) {
    asio::co_spawn(io_, std::move(coroutine), [](const std::exception_ptr& thrown) {
      if (thrown) std::abort();
    });
  }
  // Lets everybody act until nothing happens any more. `receive` takes what has come for the fuzzer's sides, and tells
  // whether anything has.
  void settle(const std::function<bool()>& receive) {
    while (io_.poll() > 0 || receive()) {
    }
  }
  // All of `bytes`, as the server takes them; less when it takes no more. How much that was.
  std::size_t send(const Side& side, std::string_view bytes, const std::function<bool()>& receive) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const auto more = side.send(bytes.substr(sent));
      sent += more;
      settle(receive);
      if (more == 0) break;
    }
    return sent;
  }
  // Nobody waits for anything, after both ends of a conversation are gone.
  [[nodiscard]] bool has_ended() const { return io_.stopped(); }

 private:
  asio::io_context io_{1};
};

}  // namespace skerry::fuzz
