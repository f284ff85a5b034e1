#include "keeper/connection.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::keeper {
namespace {

constexpr std::size_t kReadSize = 16U << 10U;

}  // namespace

Result<std::shared_ptr<Connection>> Connection::open(EventLoop& loop, Fd fd, Direction direction, Handlers handlers) {
  TRY(sys::set_nonblocking(fd.get()));
  std::shared_ptr<Connection> connection(new Connection(loop, std::move(fd), direction, std::move(handlers)));
  connection->update_interest();
  return connection;
}

void Connection::update_interest() {
  if (closed()) return;
  const bool read = direction_ != Direction::kWrite && !paused_;
  const bool write = queued() > 0 && !hung_up_;
  // EPOLLHUP cannot be switched off: a paused reader must not be watched at all, or it would spin.
  if (!read && !write && direction_ != Direction::kWrite) {
    loop_.forget(fd());
    return;
  }
  const std::uint32_t events = (read ? EPOLLIN : 0U) | (write ? EPOLLOUT : 0U);
  Status answer;
  if (loop_.watches(fd())) {
    answer = loop_.change(fd(), events);
  } else {
    // The handler holds the connection: it lives while it is handled, whoever drops it meanwhile.
    answer = loop_.watch(fd(), events, [self = weak_from_this()](std::uint32_t ready) {
      if (const auto connection = self.lock()) connection->on_events(ready);
    });
  }
  if (!answer) hung_up_ = true;
}

void Connection::on_events(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0 && queued() > 0) {
    const auto written = write_queue();
    if (!written && direction_ == Direction::kWrite) return leave(written.error().message());
    if (written && queued() == 0) {
      if (finishing_) return close();
      update_interest();
      if (handlers_.drained) handlers_.drained();
    }
    if (closed()) return;
  }
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (direction_ == Direction::kWrite) {
    if (broken) leave("the reader has gone");
    return;
  }
  if (broken && paused_) {
    hung_up_ = true;
    update_interest();
    return;
  }
  if (!paused_ && (broken || (events & EPOLLIN) != 0)) read_once();
}

void Connection::read_once() {
  std::array<char, kReadSize> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  const auto got = sys::read(fd(), buffer.data(), buffer.size());
  if (!got) {
    if (got.error().sys_errno == EAGAIN) return;
    // A pty master reads EIO when the last holder of the other side has closed it (pty(7)).
    return leave(got.error().sys_errno == EIO ? "" : got.error().message());
  }
  if (*got == 0) return leave("");
  if (handlers_.bytes) handlers_.bytes(std::string_view(buffer.data(), *got));
}

void Connection::send(std::string_view bytes) {
  if (closed() || finishing_ || hung_up_ || bytes.empty()) return;
  const bool waiting = queued() > 0;
  queue_ += bytes;
  // An error shows again as EPOLLHUP or EPOLLERR; it is handled there, never below send().
  if (!waiting) static_cast<void>(write_queue());
  update_interest();
}

Status Connection::write_queue() {
  while (queued() > 0) {
    const auto put = sys::write_some(fd(), std::string_view(queue_).substr(sent_));
    if (!put) {
      if (put.error().sys_errno == EAGAIN) break;
      queue_.clear();
      sent_ = 0;
      hung_up_ = true;
      return fail(put.error());
    }
    sent_ += *put;
  }
  if (queued() > 0) {
    if (sent_ > queue_.size() / 2) {
      queue_.erase(0, sent_);
      sent_ = 0;
    }
    return {};
  }
  if (queue_.capacity() > kReadSize) {
    queue_ = std::string();
  } else {
    queue_.clear();
  }
  sent_ = 0;
  return {};
}

void Connection::pause() {
  paused_ = true;
  update_interest();
}

void Connection::resume() {
  if (!paused_) return;
  paused_ = false;
  update_interest();
}

void Connection::close() {
  if (closed()) return;
  loop_.forget(fd());
  fd_.reset();
  queue_ = std::string();
  sent_ = 0;
}

void Connection::finish() {
  if (queued() == 0) return close();
  finishing_ = true;
}

void Connection::leave(const std::string& reason) {
  if (closed()) return;
  const auto self = shared_from_this();
  close();
  if (handlers_.gone) handlers_.gone(reason);
}

Result<std::shared_ptr<FrameConnection>> FrameConnection::open(EventLoop& loop, Fd fd, Handlers handlers) {
  std::shared_ptr<FrameConnection> frames(new FrameConnection(std::move(handlers)));
  const std::weak_ptr<FrameConnection> weak = frames;
  // Each call holds the FrameConnection: its owner may drop it from within.
  Connection::Handlers below;
  below.bytes = [weak](std::string_view bytes) {
    if (const auto self = weak.lock()) self->on_bytes(bytes);
  };
  below.gone = [weak](const std::string& reason) {
    if (const auto self = weak.lock(); self && self->handlers_.gone) self->handlers_.gone(reason);
  };
  below.drained = [weak] {
    if (const auto self = weak.lock(); self && self->handlers_.drained) self->handlers_.drained();
  };
  frames->connection_ = TRY(Connection::open(loop, std::move(fd), Direction::kBoth, std::move(below)));
  return frames;
}

void FrameConnection::send(FrameKind kind, std::uint32_t session, std::string_view payload) {
  do {
    const auto part = payload.substr(0, kMaxFramePayload);
    connection_->send(encode_frame(kind, session, part));
    payload.remove_prefix(part.size());
  } while (!payload.empty());
}

void FrameConnection::on_bytes(std::string_view bytes) {
  parser_.feed(bytes);
  while (!closed()) {
    auto frame = parser_.next();
    if (!frame) {
      close();
      if (handlers_.gone) handlers_.gone(frame.error().message());
      return;
    }
    if (!*frame) return;
    handlers_.frame(**frame);
  }
}

}  // namespace skerry::keeper
