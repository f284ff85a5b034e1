// Agent: PID 1 of a booted guest. Serves the channel, supervises the workload, reaps every orphan, powers off.
//
// One thread, one event loop. run() returns when the guest shall power off.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/channel.h"
#include "agent/health_probe.h"
#include "agent/proxy.h"
#include "agent/serial_shell.h"
#include "agent/session.h"
#include "agent/workload.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

class Agent {
 public:
  Agent(EventLoop& loop, Fd port, wire::BootDocument document);

  // Until the guest shall go down. `warnings` of the boot are reported to the host first.
  Status run(const std::vector<std::string>& warnings);

 private:
  static constexpr std::size_t kMaxSessions = 256;

  Status watch_signals();
  void on_signal();
  void reap();
  void child_ended(pid_t pid, int wait_status);

  void on_frame(const Frame& frame);
  void on_request(std::uint32_t session, std::string_view payload);
  wire::AgentResponse answer(std::uint32_t session, const wire::AgentRequest& request);
  Status open_exec(std::uint32_t session, wire::GuestProcess process);
  Status open_copy(std::uint32_t session, wire::GuestProcess process);
  // Answers the request and begins its stream.
  Status open_process(std::uint32_t session, const wire::GuestProcess& process);
  Status open_dial(std::uint32_t session, const std::string& address);
  // The proxy and the probes, once the workload has been started.
  void serve_workload();
  Status start_workload(const wire::AgentRequest& request);
  void end_session(std::uint32_t session, int shell_code);
  void hang_up_all();

  void tell_ready();
  void tell(const wire::AgentEvent& event);
  void warn(const std::string& reason);
  [[nodiscard]] wire::AgentHello hello() const;
  void workload_ended(int shell_code, bool out_of_memory = false);
  void shut_down(Duration grace);

  EventLoop& loop_;
  wire::BootDocument document_;
  Channel channel_;
  Workload workload_;
  Fd signals_;
  std::unique_ptr<Proxy> proxy_;
  std::unique_ptr<HealthProbe> probe_;
  SerialShell serial_;
  std::map<std::uint32_t, std::unique_ptr<Session>> sessions_;
  std::map<pid_t, std::uint32_t> processes_;  // exec sessions by process
  std::optional<Error> start_error_;
  bool going_down_ = false;
  EventLoop::TimerId grace_timer_ = 0;
};

}  // namespace skerry::agent
