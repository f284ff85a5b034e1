#include "agent/relay.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <tuple>
#include <utility>

namespace skerry::agent {
namespace {

constexpr std::size_t kBufferLimit = 64U << 10U;

}  // namespace

Relay::Relay(EventLoop& loop, Fd first, Fd second, Rewrite rewrite, std::function<void()> ended)
    : loop_(loop), rewrite_(std::move(rewrite)), ended_(std::move(ended)) {
  first_.fd = std::move(first);
  second_.fd = std::move(second);
}

Relay::~Relay() {
  for (const auto* side : {&first_, &second_}) {
    if (side->fd) loop_.forget(side->fd.get());
  }
}

Status Relay::open() {
  TRY(loop_.watch(first_.fd.get(), EPOLLIN, [this](std::uint32_t events) { on_events(first_, second_, events); }));
  // Writable tells that the connection stands, or has failed.
  return loop_.watch(second_.fd.get(), EPOLLIN | EPOLLOUT,
                     [this](std::uint32_t events) { on_events(second_, first_, events); });
}

void Relay::on_events(Side& side, Side& other, std::uint32_t events) {
  if ((events & EPOLLERR) != 0) return end();
  if ((events & (EPOLLIN | EPOLLHUP)) != 0) read_from(side, other);
  if ((events & EPOLLOUT) != 0) write_to(side, other);
  if (!ended_) return;
  if (first_.read_ended && second_.read_ended && first_.outgoing.empty() && second_.outgoing.empty()) return end();
  update(side, other);
  update(other, side);
}

void Relay::read_from(Side& side, Side& other) {
  if (side.read_ended || other.outgoing.size() >= kBufferLimit) return;
  std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const ssize_t got = ::read(side.fd.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return end();
  if (got == 0) side.read_ended = true;
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (&side == &first_ && rewrite_) {
    head_ += bytes;
    auto rewritten = side.read_ended ? std::optional(head_) : rewrite_(head_);
    if (!rewritten) return;
    other.outgoing += *rewritten;
    rewrite_ = nullptr;
    head_.clear();
  } else {
    other.outgoing += bytes;
  }
  write_to(other, side);
}

void Relay::write_to(Side& side, Side& other) {
  while (!side.outgoing.empty()) {
    const ssize_t put = ::send(side.fd.get(), side.outgoing.data(), side.outgoing.size(), MSG_NOSIGNAL);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (put < 0) return end();
    side.outgoing.erase(0, static_cast<std::size_t>(put));
  }
  if (other.read_ended && !side.write_ended) {
    side.write_ended = true;
    ::shutdown(side.fd.get(), SHUT_WR);
  }
}

void Relay::update(Side& side, const Side& other) {
  const bool read = !side.read_ended && other.outgoing.size() < kBufferLimit;
  const bool write = !side.outgoing.empty();
  const std::uint32_t events = (read ? std::uint32_t{EPOLLIN} : 0U) | (write ? std::uint32_t{EPOLLOUT} : 0U);
  // A hang-up cannot be masked: a side with nothing to wait for is not watched.
  if (events == 0) {
    loop_.forget(side.fd.get());
  } else if (loop_.watches(side.fd.get())) {
    std::ignore = loop_.change(side.fd.get(), events);
  } else {
    Side& mutable_other = &side == &first_ ? second_ : first_;
    std::ignore = loop_.watch(side.fd.get(), events, [this, &side, &mutable_other](std::uint32_t came) {
      on_events(side, mutable_other, came);
    });
  }
}

void Relay::end() {
  const auto ended = std::exchange(ended_, nullptr);
  if (!ended) return;
  loop_.forget(first_.fd.get());
  loop_.forget(second_.fd.get());
  loop_.after(Duration(0), ended);
}

}  // namespace skerry::agent
