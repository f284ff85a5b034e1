#include "agent/channel.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <tuple>
#include <utility>

#include "base/sys_file.h"

namespace skerry::agent {
namespace {

// The port gives no event when the host connects again, so it is asked.
constexpr Duration kReconnectDelay = std::chrono::milliseconds(100);
constexpr std::size_t kWriteChunk = 32U << 10U;  // drivers/char/virtio_console.c copies at most this much a write
constexpr std::size_t kReadChunk = 16U << 10U;

}  // namespace

Channel::Channel(EventLoop& loop, Fd fd, Handlers handlers)
    : loop_(loop), fd_(std::move(fd)), handlers_(std::move(handlers)) {}

Channel::~Channel() { loop_.forget(fd_.get()); }

Status Channel::open() {
  return loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t events) { on_events(events); });
}

void Channel::send(FrameKind kind, std::uint32_t session, std::string_view payload) {
  do {
    const auto part = payload.substr(0, kMaxFramePayload);
    (hushed_ ? held_ : queue_) += encode_frame(kind, session, part);
    payload.remove_prefix(part.size());
  } while (!payload.empty());
  was_congested_ = was_congested_ || congested();
  write_some();
  update();
}

void Channel::speak() {
  if (!hushed_) return;
  hushed_ = false;
  queue_ += std::exchange(held_, {});
  write_some();
  update();
}

void Channel::update() {
  if (loop_.watches(fd_.get())) {
    std::ignore = loop_.change(fd_.get(), unsent() > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
}

void Channel::on_events(std::uint32_t events) {
  if ((events & EPOLLIN) != 0) read_frames();
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 && (events & EPOLLIN) == 0) return wait_for_host();
  if ((events & EPOLLOUT) != 0) write_some();
  update();
}

void Channel::wait_for_host() {
  loop_.forget(fd_.get());
  loop_.after(kReconnectDelay, [this] {
    std::ignore = open();
    write_some();
    update();
  });
}

void Channel::read_frames() {
  std::array<char, kReadChunk> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return wait_for_host();
  parser_.feed(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  while (true) {
    auto frame = parser_.next();
    if (!frame) {
      loop_.forget(fd_.get());
      return handlers_.broken(frame.error());
    }
    if (!*frame) return;
    handlers_.frame(std::move(**frame));
  }
}

// True when something was written.
bool Channel::write_some() {
  bool progress = false;
  while (unsent() > 0) {
    const ssize_t put = ::write(fd_.get(), queue_.data() + sent_, std::min(unsent(), kWriteChunk));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) break;
    sent_ += static_cast<std::size_t>(put);
    progress = true;
  }
  if (unsent() == 0) {
    queue_.clear();
    sent_ = 0;
  } else if (sent_ >= kHighMark) {
    queue_.erase(0, sent_);
    sent_ = 0;
  }
  if (was_congested_ && queued() <= kLowMark) {
    was_congested_ = false;
    // Later, not from within send(): whoever is just sending must not be called back.
    loop_.after(Duration(0), [this] { handlers_.room(); });
  }
  return progress;
}

void Channel::drain(Duration deadline) {
  const SystemClock clock;
  const MonoTime end = clock.monotonic() + deadline;
  speak();
  while (queued() > 0) {
    if (write_some()) continue;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - clock.monotonic()).count();
    if (left <= 0) return;
    pollfd ready{fd_.get(), POLLOUT, 0};
    ::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 50)));
  }
}

}  // namespace skerry::agent
