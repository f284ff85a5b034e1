#include "api/right_watch.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"

namespace skerry::api {
namespace {

constexpr Duration kLookAgain = std::chrono::seconds(1);

}  // namespace

struct RightWatch::State {
  State(asio::io_context& io, int fd, std::function<bool()> may) : timer(io), socket(fd), still_may(std::move(may)) {}
  asio::steady_timer timer;
  const int socket;
  std::function<bool()> still_may;
  bool over = false;
};

RightWatch::RightWatch(asio::io_context& io, int socket, std::function<bool()> still_may)
    : state_(std::make_shared<State>(io, socket, std::move(still_may))) {
  look_later(state_);
}

RightWatch::~RightWatch() {
  state_->over = true;
  state_->timer.cancel();
}

void RightWatch::look_later(const std::shared_ptr<State>& state) {
  state->timer.expires_after(kLookAgain);
  state->timer.async_wait([state](beast::error_code ec) {
    if (ec || state->over) return;
    if (state->still_may()) return look_later(state);
    log::info("a connection is ended: its caller has lost the right to it", {});
    // Whoever reads sees the end, whoever writes an error: as when the client hangs up.
    ::shutdown(state->socket, SHUT_RDWR);
  });
}

}  // namespace skerry::api
