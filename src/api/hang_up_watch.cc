#include "api/hang_up_watch.h"

#include <poll.h>

namespace skerry::api {
namespace {

constexpr Duration kLookAgain = std::chrono::seconds(1);

}  // namespace

std::unexpected<Error> client_is_gone() { return fail(ErrorCode::kCancelled, "the client has hung up"); }

void HangUpWatch::begin() {
  timer_.expires_after(kLookAgain);
  timer_.async_wait([self = shared_from_this()](beast::error_code ec) {
    if (!ec && !self->over_) self->look();
  });
}

void HangUpWatch::end() {
  over_ = true;
  timer_.cancel();
}

void HangUpWatch::look() {
  pollfd peer{socket_, POLLRDHUP, 0};
  gone_ = ::poll(&peer, 1, 0) > 0 && (peer.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  if (!gone_) return begin();
  if (*let_go_) (*let_go_)(client_is_gone());
}

}  // namespace skerry::api
