#include "agent/pump.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <tuple>

namespace skerry::agent {
namespace {

constexpr std::size_t kReadChunk = 32U << 10U;

}  // namespace

OutputPump::OutputPump(EventLoop& loop, Channel& channel, Fd fd, FrameKind kind, std::uint32_t session,
                       std::function<void()> ended)
    : loop_(loop), channel_(channel), fd_(std::move(fd)), kind_(kind), session_(session), ended_(std::move(ended)) {
  update();
}

// A paused pipe is not watched at all: a hang-up cannot be masked and would spin.
void OutputPump::update() {
  if (!fd_) return;
  const bool wanted = !paused_ && !channel_.congested();
  // Nothing tells of an empty pipe that a background process holds open: it has to be read to see.
  if (wanted && finishing_) return read_once();
  if (wanted == loop_.watches(fd_.get())) return;
  if (wanted) {
    std::ignore = loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { read_once(); });
  } else {
    loop_.forget(fd_.get());
  }
}

void OutputPump::pause(bool paused) {
  paused_ = paused;
  update();
}

void OutputPump::finish() {
  finishing_ = true;
  update();
}

void OutputPump::read_once() {
  std::array<char, kReadChunk> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  while (fd_) {
    const ssize_t got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got > 0) {
      channel_.send(kind_, session_, std::string_view(buffer.data(), static_cast<std::size_t>(got)));
      if (finishing_ && !channel_.congested()) continue;
      return update();
    }
    if (got < 0 && errno == EAGAIN && !finishing_) return;
    // End of file, EIO of a terminal without processes, or an empty pipe whose writer has ended.
    close();
    return ended_();
  }
}

void OutputPump::close() {
  if (!fd_) return;
  loop_.forget(fd_.get());
  fd_.reset();
}

InputPump::InputPump(EventLoop& loop, Channel& channel, Fd fd, std::uint32_t session)
    : loop_(loop), channel_(channel), fd_(std::move(fd)), session_(session) {}

bool InputPump::write(std::string_view bytes) {
  if (!fd_ || finishing_) return true;  // nobody reads any more: like a closed pipe
  if (queue_.size() + bytes.size() > kInputLimit) return false;
  queue_ += bytes;
  flush();
  return true;
}

void InputPump::finish(std::function<void(int fd)> at_end) {
  at_end_ = std::move(at_end);
  finishing_ = true;
  flush();
}

void InputPump::flush() {
  std::size_t sent = 0;
  while (fd_ && sent < queue_.size()) {
    const ssize_t put = ::write(fd_.get(), queue_.data() + sent, queue_.size() - sent);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno != EAGAIN) close();
    if (put <= 0) break;
    sent += static_cast<std::size_t>(put);
  }
  queue_.erase(0, sent);
  if (fd_ && queue_.empty() && finishing_) {
    if (at_end_) at_end_(fd_.get());
    close();
  }
  signal_pressure();
  if (!fd_) return;
  if (queue_.empty()) {
    loop_.forget(fd_.get());
  } else if (!loop_.watches(fd_.get())) {
    std::ignore = loop_.watch(fd_.get(), EPOLLOUT, [this](std::uint32_t) { flush(); });
  }
}

void InputPump::signal_pressure() {
  if (!told_to_pause_ && queue_.size() >= kInputHighMark) {
    told_to_pause_ = true;
    channel_.send(FrameKind::kPause, session_);
  } else if (told_to_pause_ && queue_.size() <= kInputLowMark) {
    told_to_pause_ = false;
    channel_.send(FrameKind::kResume, session_);
  }
}

void InputPump::close() {
  if (fd_) loop_.forget(fd_.get());
  fd_.reset();
  queue_.clear();
}

}  // namespace skerry::agent
