#include <sys/socket.h>

#include "api/connection.h"
#include "base/log.h"
#include "base/sys_file.h"

namespace skerry::api {
namespace {

// Waits for a source to have more, for its patience to end, or for the client to go. Callbacks may come late, after the
// waiting coroutine has gone: all they touch is shared.
class Waiter {
 public:
  Waiter(asio::io_context& io, Stream& stream) : state_(std::make_shared<State>(io)), stream_(stream) {}

  Status watch(int fd) {
    if (fd < 0) return {};
    Fd copy = TRY(sys::dup(fd));
    beast::error_code ec;
    state_->wake.assign(copy.release(), ec);
    if (ec) return fail(ErrorCode::kIo, ec.message());
    return {};
  }

  // False: the client is gone.
  asio::awaitable<bool> wait(Duration patience) {
    state_->timer.expires_after(patience);
    if (state_->wake.is_open() && !state_->armed_wake) {
      state_->armed_wake = true;
      state_->wake.async_wait(asio::posix::descriptor_base::wait_read, [state = state_](beast::error_code) {
        state->armed_wake = false;
        state->timer.cancel();
      });
    }
    arm_hangup();
    co_await state_->timer.async_wait(kAwait);
    co_return !state_->hung_up;
  }

 private:
  struct State {
    explicit State(asio::io_context& io) : timer(io), wake(io) {}
    asio::steady_timer timer;
    asio::posix::stream_descriptor wake;
    bool armed_wake = false;
    bool armed_hangup = false;
    bool talks = false;  // the client sent something: no longer a sign of its going
    bool hung_up = false;
  };

  void arm_hangup() {
    if (state_->armed_hangup || state_->talks) return;
    state_->armed_hangup = true;
    const int socket = stream_.socket().native_handle();
    stream_.socket().async_wait(asio::socket_base::wait_read, [state = state_, socket](beast::error_code ec) {
      state->armed_hangup = false;
      if (ec) return;
      char byte = 0;
      const auto got = ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
      state->talks = got > 0;
      state->hung_up = got == 0;
      state->timer.cancel();
    });
  }

  std::shared_ptr<State> state_;
  Stream& stream_;
};

}  // namespace

asio::awaitable<bool> stream_body(Core& core, Stream& stream, BodySource& source) {
  Waiter waiter(core.io, stream);
  if (auto watched = waiter.watch(source.wake_fd()); !watched) co_return false;
  const auto write_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(core.config.write_timeout);
  while (true) {
    // Not as one conditional expression: g++ 12 destroys the value of the branch with co_await twice.
    Result<std::optional<std::string>> piece;
    if (source.is_quick()) {
      piece = source.next();
    } else {
      piece = co_await next_piece(core, source);
    }
    if (!piece) {
      log::warning("a stream broke off", {{"error", piece.error().message()}});
      co_return false;
    }
    if (!*piece) break;
    const std::string bytes = std::move(**piece);
    if (bytes.empty()) {
      if (!co_await waiter.wait(source.patience())) co_return false;
      continue;
    }
    stream.expires_after(write_timeout);
    const auto [ec, size] = co_await asio::async_write(stream, http::make_chunk(asio::buffer(bytes)), kAwait);
    if (ec) co_return false;
  }
  stream.expires_after(write_timeout);
  const auto [ec, size] = co_await asio::async_write(stream, http::make_chunk_last(), kAwait);
  co_return !ec;
}

}  // namespace skerry::api
