// FramedChannel: the agent's channel of a guest, shared by many clients (ChannelMode::kFramed).
//
//   client A ─ session 1 ─┐                      ┌─ session 7 ─┐
//   client B ─ session 1 ─┼─ NAME.sock ─ keeper ─┼─ session 8 ─┼─ agent
//   attach.sock ──────────┘   (renumbers)        └─ session 0 ─┘  (the workload)
//
// The guest is not trusted: what it sends is bounded and checked; when it sends something that is not frames the
// channel is closed for good, with the reason, and nothing else suffers. Announcements (kReady, kEvent) cost a file
// each: more than 16 in half a second are joined, the last of each kind counts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/cri_log.h"
#include "base/keeper_protocol.h"
#include "keeper/connection.h"
#include "keeper/listener.h"
#include "keeper/session_table.h"
#include "keeper/workload_input.h"

namespace skerry::keeper {

class FramedChannel final : public WorkloadInput {
 public:
  ~FramedChannel() override;
  FramedChannel(const FramedChannel&) = delete;
  FramedChannel& operator=(const FramedChannel&) = delete;
  struct Handlers {
    std::function<void(LogStream stream, std::string_view bytes)> output;  // of the workload
    std::function<void(int shell_code, bool out_of_memory)> workload_exited;
    std::function<void(const std::string& reason)> closed;  // empty reason: the guest went
    std::function<void()> uncongested;
  };
  // `guest` is our end of the pair. Files go into the run directory of `paths`.
  static Result<std::unique_ptr<FramedChannel>> open(EventLoop& loop, const std::string& name, Fd guest,
                                                     KeeperPaths paths, Handlers handlers);

  void write_stdin(std::string_view bytes) override;
  void end_stdin() override;
  void resize(TerminalSize size) override;
  void signal(int signal_number) override;
  [[nodiscard]] bool congested() const override;
  [[nodiscard]] bool closed() const { return guest_->closed(); }

 private:
  using Client = std::shared_ptr<FrameConnection>;
  FramedChannel(EventLoop& loop, KeeperPaths paths, Handlers handlers);

  void accept(Fd socket);
  void from_client(std::uint64_t id, const Frame& frame);
  void open_session(std::uint64_t id, const Frame& frame);
  void drop_client(std::uint64_t id);
  void client_drained(std::uint64_t id);

  void from_guest(const Frame& frame);
  void workload_frame(const Frame& frame);
  void session_frame(const Frame& frame);
  void announce(const Frame& frame);
  void tell_all(FrameKind kind, const std::string& payload);
  void tell_pending();
  void to_client(std::uint64_t id, FrameKind kind, std::uint32_t session, std::string_view payload);
  void guest_gone(const std::string& reason);
  void resume_clients();
  void let_guest_hear();

  EventLoop& loop_;
  KeeperPaths paths_;
  Handlers handlers_;
  Client guest_;
  std::unique_ptr<Listener> listener_;
  std::map<std::uint64_t, Client> clients_;
  std::uint64_t next_client_ = 1;
  SessionTable sessions_;
  std::map<FrameKind, std::string> retained_;  // the last kReady and kEvent
  // Those that came faster than they may be told; the last one of a kind is told when its time has come.
  std::map<FrameKind, std::string> pending_;
  unsigned announcements_left_ = 0;
  EventLoop::TimerId refill_ = 0;
  EventLoop::TimerId hearing_ = 0;
  std::set<std::uint64_t> waited_for_;  // clients for whom the guest was not read, until their queue is empty
  bool stdin_paused_ = false;           // by the guest (kPause on session 0)
};

}  // namespace skerry::keeper
