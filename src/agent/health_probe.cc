#include "agent/health_probe.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/dial_session.h"
#include "base/text.h"

namespace skerry::agent {

std::optional<bool> HealthTracker::record(bool success) {
  failures_ = success ? 0 : failures_ + 1;
  const bool known = success || failures_ >= retries_;
  if (!known || healthy_ == success) return std::nullopt;
  healthy_ = success;
  return success;
}

HealthProbe::HealthProbe(EventLoop& loop, const wire::GuestHealthCheck& check, HttpUrl url, Changed changed)
    : loop_(loop), check_(check), url_(std::move(url)), changed_(std::move(changed)), tracker_(check.retries) {
  ask();
}

HealthProbe::~HealthProbe() {
  if (socket_) loop_.forget(socket_.get());
  loop_.cancel(timer_);
}

void HealthProbe::ask() {
  answer_.clear();
  request_ = probe_request(url_);
  auto socket = start_connect({url_.host, url_.port, {}});
  timer_ = loop_.after(std::chrono::milliseconds(check_.timeout_ms), [this] { finish(false, "no answer in time"); });
  if (!socket) return finish(false, socket.error().message());
  socket_ = std::move(*socket);
  const auto watched = loop_.watch(socket_.get(), EPOLLOUT, [this](std::uint32_t events) { on_events(events); });
  if (!watched) finish(false, watched.error().message());
}

void HealthProbe::on_events(std::uint32_t events) {
  int err = 0;
  socklen_t size = sizeof err;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &err, &size);
  if (err != 0) return finish(false, std::strerror(err));
  if ((events & EPOLLOUT) != 0) {
    // A request fits any socket's buffer at once.
    if (::send(socket_.get(), request_.data(), request_.size(), MSG_NOSIGNAL) < 0) {
      return finish(false, std::strerror(errno));
    }
    static_cast<void>(loop_.change(socket_.get(), EPOLLIN));
    return;
  }
  std::array<char, 1024> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const ssize_t got = ::read(socket_.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return finish(false, "the connection ended without an answer");
  answer_.append(buffer.data(), static_cast<std::size_t>(got));
  const auto status = response_status(answer_);
  if (!status) return;
  const bool good = *status >= 200 && *status < 400;
  finish(good, *status == 0 ? "not an HTTP answer" : cat("HTTP status ", *status));
}

void HealthProbe::finish(bool success, const std::string& reason) {
  if (socket_) loop_.forget(socket_.get());
  socket_.reset();
  loop_.cancel(timer_);
  timer_ = loop_.after(std::chrono::milliseconds(check_.interval_ms), [this] { ask(); });
  if (const auto now = tracker_.record(success)) changed_(*now, reason);
}

}  // namespace skerry::agent
