// The two halves of a session's data path: OutputPump reads a descriptor and sends it to the host as frames, InputPump
// takes frames from the host and writes them to a descriptor. Both are bounded and know the pause frames.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "agent/channel.h"
#include "agent/session.h"
#include "base/event_loop.h"
#include "base/fd.h"

namespace skerry::agent {

class OutputPump {
 public:
  // `ended` is called once, at the end of the stream.
  OutputPump(EventLoop& loop, Channel& channel, Fd fd, FrameKind kind, std::uint32_t session,
             std::function<void()> ended);
  ~OutputPump() { close(); }
  OutputPump(const OutputPump&) = delete;
  OutputPump& operator=(const OutputPump&) = delete;

  void pause(bool paused);  // by the host
  void on_room() { update(); }
  // The writer is gone: everything that is in the pipe now goes to the host, then the stream ends, even if somebody
  // else (a process left in the background) holds its other end.
  void finish();
  [[nodiscard]] bool closed() const { return !fd_.valid(); }
  void close();
  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  void update();
  void read_once();

  EventLoop& loop_;
  Channel& channel_;
  Fd fd_;
  FrameKind kind_;
  std::uint32_t session_;
  std::function<void()> ended_;
  bool paused_ = false;
  bool finishing_ = false;
};

class InputPump {
 public:
  InputPump(EventLoop& loop, Channel& channel, Fd fd, std::uint32_t session);
  ~InputPump() { close(); }
  InputPump(const InputPump&) = delete;
  InputPump& operator=(const InputPump&) = delete;

  // False when the host has ignored kPause for so long that the session must end.
  [[nodiscard]] bool write(std::string_view bytes);
  // End of input once the queue is written. `at_end` decides how: by default the descriptor is closed.
  void finish(std::function<void(int fd)> at_end = {});
  void close();

 private:
  void flush();
  void signal_pressure();

  EventLoop& loop_;
  Channel& channel_;
  Fd fd_;
  std::uint32_t session_;
  std::string queue_;
  std::function<void(int fd)> at_end_;
  bool finishing_ = false;
  bool told_to_pause_ = false;
};

}  // namespace skerry::agent
