// Connection: one pipe, pty or stream socket on the event loop, with a queue for what the other side does not take yet.
//
// Never blocks. Nothing here bounds the queue: whoever sends looks at queued() and decides (drop the peer, pause the
// source). FrameConnection is the same, cut into frames.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/frame.h"
#include "base/result.h"

namespace skerry::keeper {

enum class Direction : std::uint8_t { kRead, kWrite, kBoth };

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Handlers {
    std::function<void(std::string_view bytes)> bytes;
    // The other side went (reason empty) or an error came. Called once, never from within send(); the connection is
    // closed by then.
    std::function<void(const std::string& reason)> gone;
    // The queue, not empty before, is empty now.
    std::function<void()> drained;
  };

  static Result<std::shared_ptr<Connection>> open(EventLoop& loop, Fd fd, Direction direction, Handlers handlers);
  ~Connection() { close(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void send(std::string_view bytes);
  [[nodiscard]] std::size_t queued() const { return queue_.size() - sent_; }
  // While paused nothing is read: the pressure goes back to the writer.
  void pause();
  void resume();
  // Closes at once, without a call of `gone`.
  void close();
  // Closes when the queue has been written; takes no more bytes.
  void finish();
  [[nodiscard]] bool closed() const { return !fd_.valid(); }
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Connection(EventLoop& loop, Fd fd, Direction direction, Handlers handlers)
      : loop_(loop), fd_(std::move(fd)), direction_(direction), handlers_(std::move(handlers)) {}
  void update_interest();
  void on_events(std::uint32_t events);
  void read_once();
  Status write_queue();
  void leave(const std::string& reason);

  EventLoop& loop_;
  Fd fd_;
  Direction direction_;
  Handlers handlers_;
  std::string queue_;
  std::size_t sent_ = 0;  // bytes at the front of queue_ that are written already
  bool paused_ = false;
  bool finishing_ = false;
  bool hung_up_ = false;  // the peer has gone, but there may be bytes to read after resume()
};

class FrameConnection {
 public:
  struct Handlers {
    std::function<void(const Frame& frame)> frame;
    // As Connection::Handlers::gone; also when the peer sent something that is not frames.
    std::function<void(const std::string& reason)> gone;
    std::function<void()> drained;
  };
  static Result<std::shared_ptr<FrameConnection>> open(EventLoop& loop, Fd fd, Handlers handlers);
  ~FrameConnection() { close(); }
  FrameConnection(const FrameConnection&) = delete;
  FrameConnection& operator=(const FrameConnection&) = delete;

  // Payloads above kMaxFramePayload become several frames.
  void send(FrameKind kind, std::uint32_t session, std::string_view payload);
  [[nodiscard]] std::size_t queued() const { return connection_ ? connection_->queued() : 0; }
  void pause() { connection_->pause(); }
  void resume() { connection_->resume(); }
  void close() {
    if (connection_) connection_->close();
  }
  [[nodiscard]] bool closed() const { return connection_->closed(); }

 private:
  explicit FrameConnection(Handlers handlers) : handlers_(std::move(handlers)) {}
  void on_bytes(std::string_view bytes);

  Handlers handlers_;
  FrameParser parser_;
  std::shared_ptr<Connection> connection_;
};

}  // namespace skerry::keeper
