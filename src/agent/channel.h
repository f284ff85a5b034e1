// Channel: frames to and from the host over the virtio-serial port (or any stream descriptor), on the event loop.
//
// What is sent waits in one queue. The queue is bounded by its users: while congested() they stop reading what they
// would forward, and go on when `room` is called. Only small frames (answers, exits, events) may be sent regardless.
// A host that is not connected (the port reports EPOLLHUP) is waited for; nothing is lost that was queued.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/frame.h"
#include "base/result.h"

namespace skerry::agent {

class Channel {
 public:
  struct Handlers {
    std::function<void(Frame frame)> frame;
    std::function<void()> room;                      // the queue has drained below the mark
    std::function<void(const Error& error)> broken;  // the host sent something that is not frames
  };

  // `fd` must be non-blocking.
  Channel(EventLoop& loop, Fd fd, Handlers handlers);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  Status open();

  void send(FrameKind kind, std::uint32_t session, std::string_view payload = {});
  [[nodiscard]] bool congested() const { return queued() >= kHighMark; }
  // What was sent so far goes out, what is sent from now on waits for speak(): between the two no frame is cut in half
  // by a snapshot of the guest.
  void hush() { hushed_ = true; }
  void speak();
  // Writes until the queue is empty or `deadline` has passed, without reading. For the last words before power off.
  void drain(Duration deadline);

  // One read of process output at most: a frame of it always fits beside the mark.
  static constexpr std::size_t kHighMark = 256U << 10U;
  static constexpr std::size_t kLowMark = 64U << 10U;

 private:
  [[nodiscard]] std::size_t unsent() const { return queue_.size() - sent_; }
  [[nodiscard]] std::size_t queued() const { return unsent() + held_.size(); }
  void on_events(std::uint32_t events);
  void read_frames();
  bool write_some();
  void update();
  void wait_for_host();

  EventLoop& loop_;
  Fd fd_;
  Handlers handlers_;
  FrameParser parser_;
  std::string queue_;
  std::size_t sent_ = 0;
  bool hushed_ = false;
  std::string held_;  // while hushed
  bool was_congested_ = false;
};

}  // namespace skerry::agent
