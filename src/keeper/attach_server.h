// AttachServer: attach.sock. Every client gets all output from the moment it connected and may write input.
//
// The workload never waits for a client: one whose queue grows above kMaxClientQueue is dropped. Clients wait for the
// workload: while its input is congested they are not read.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/cri_log.h"
#include "keeper/connection.h"
#include "keeper/listener.h"
#include "keeper/workload_input.h"

namespace skerry::keeper {

class AttachServer {
 public:
  static Result<std::unique_ptr<AttachServer>> open(EventLoop& loop, const std::string& path, WorkloadInput& input);

  // A client that did not come by the socket.
  void accept(Fd socket);
  void broadcast(LogStream stream, std::string_view bytes);
  // The workload has ended: the last frame of every client. Further input is ignored.
  void broadcast_exit(int shell_code);
  // The input is not congested any more.
  void resume_clients();
  // All that was sent is with the kernel.
  [[nodiscard]] bool flushed() const;

 private:
  AttachServer(EventLoop& loop, WorkloadInput& input) : loop_(loop), input_(input) {}
  void on_frame(std::uint64_t id, const Frame& frame);
  void send_all(FrameKind kind, std::string_view payload);

  EventLoop& loop_;
  WorkloadInput& input_;
  std::unique_ptr<Listener> listener_;
  std::map<std::uint64_t, std::shared_ptr<FrameConnection>> clients_;
  std::uint64_t next_id_ = 1;
  bool ended_ = false;
};

}  // namespace skerry::keeper
