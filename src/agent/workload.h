// Workload: the one process the guest exists for. Starts it in its own cgroup, restarts it by its policy, ends it.
//
//            start()                exit, policy says again
//   waiting ────────▶ running ─────────────────▶ backing off ──timer──▶ running
//      │                 │ exit, for good             │ stop()
//      └──── stop() ─────┴──────────▶ ended ◀─────────┘       `ended` is called once, from the loop
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/process_session.h"
#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

class Workload {
 public:
  struct Handlers {
    std::function<void(const wire::AgentEvent& event)> event;
    std::function<void(int shell_code, bool out_of_memory)> ended;
  };
  enum class State : std::uint8_t { kNone /* nothing to run */, kWaiting, kRunning, kBackingOff, kEnded };

  // `document` must outlive the workload.
  Workload(EventLoop& loop, Channel& channel, const wire::BootDocument& document, Handlers handlers);
  ~Workload();
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;

  // Runs it for the first time. A program that cannot be run is an error, and the workload stays unstarted.
  Status start(const std::vector<std::string>& extra_env = {});
  // No more restarts; sends the stop signal. kill() ends every process of it at once.
  void stop();
  void kill();
  void signal(int number);

  void exited(int wait_status);
  [[nodiscard]] pid_t pid() const { return session_ ? session_->pid() : 0; }
  [[nodiscard]] State state() const { return state_; }
  // The environment of the workload, for exec.
  [[nodiscard]] const wire::GuestProcess& process() const { return process_; }
  // Where its processes live, those of exec too; empty when the kernel has no cgroup2.
  [[nodiscard]] const std::string& cgroup() const { return cgroup_; }
  // Null while nothing runs.
  [[nodiscard]] Session* session() const { return session_.get(); }

 private:
  Status run();
  void run_again();
  void over(int shell_code);
  void end(int shell_code);

  EventLoop& loop_;
  Channel& channel_;
  const wire::BootDocument& document_;
  Handlers handlers_;
  wire::GuestProcess process_;
  std::string cgroup_;
  std::unique_ptr<ProcessSession> session_;
  State state_ = State::kWaiting;
  bool stopping_ = false;
  std::uint32_t restarts_ = 0;
  int last_code_ = 0;
  std::uint64_t oom_kills_before_ = 0;  // when it was started
  bool out_of_memory_ = false;          // why it ended last
  MonoTime started_;
  EventLoop::TimerId timer_ = 0;
};

}  // namespace skerry::agent
