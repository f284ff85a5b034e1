// ProcessSession: a process whose stdio is one session of the channel. The workload is session 0, every exec has its
// own number.
//
//   running ──exited()──▶ draining ──all output sent──▶ ended: `ended(shell code)` is called once
//
// Output that the process wrote before its end is sent before the end is told; output of what it left in the background
// is not waited for.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "agent/launch.h"
#include "agent/pump.h"
#include "agent/session.h"

namespace skerry::agent {

class ProcessSession final : public Session {
 public:
  // `ended` must not destroy the session at once (it is called from within it) but later, from the loop.
  ProcessSession(EventLoop& loop, Channel& channel, std::uint32_t number, Launched launched,
                 std::function<void(int shell_code)> ended);
  ~ProcessSession() override;

  void on_frame(const Frame& frame) override;
  void on_room() override;
  // The process was reaped; `wait_status` as of waitpid(2).
  void exited(int wait_status);
  void signal(int number) const;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  void output_ended();
  void finish_output();
  void hang_up();
  void resize(TerminalSize size);

  EventLoop& loop_;
  Channel& channel_;
  std::uint32_t number_;
  pid_t pid_;
  bool terminal_;
  std::optional<int> shell_code_;
  std::unique_ptr<InputPump> input_;
  std::unique_ptr<OutputPump> output_;
  std::unique_ptr<OutputPump> error_;
  std::function<void(int)> ended_;
  EventLoop::TimerId timer_ = 0;
};

}  // namespace skerry::agent
