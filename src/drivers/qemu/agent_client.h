// AgentClient: the host's side of wire/agent_protocol.h, over the keeper's socket of the channel "agent".
//
// Blocking, one client of many; what the guest sends is checked by the decoders and never trusted further.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/fd.h"
#include "base/frame.h"
#include "base/result.h"
#include "drivers/driver.h"
#include "wire/agent_protocol.h"

namespace skerry::qemu {

class AgentClient {
 public:
  // kNotFound / kUnavailable: no keeper serves there.
  static Result<AgentClient> connect(const std::string& run_dir);
  // Over a connected socket: the guest's own.
  static AgentClient over(Fd socket) { return AgentClient(std::move(socket)); }

  // Until the agent has said that it is ready, now or earlier. kUnavailable: the guest ended before;
  // kDeadlineExceeded after `timeout`.
  Result<wire::AgentHello> await_ready(Duration timeout);

  // One request and its answer. The error of an answer becomes the result's.
  Result<wire::AgentResponse> request(const wire::AgentRequest& request, Duration timeout);
  // The two halves of it, to send several before the answer to the first has come. Answers in the order of posts.
  Result<std::uint32_t> post(const wire::AgentRequest& request);
  Result<wire::AgentResponse> answer(std::uint32_t session, Duration timeout);
  // A request that opens a stream; the connection becomes the conversation.
  Result<Conversation> open(const wire::AgentRequest& request, Duration timeout) &&;

 private:
  explicit AgentClient(Fd socket) : socket_(std::move(socket)) {}
  Result<Frame> receive(MonoTime deadline);
  Status receive_exactly(char* data, std::size_t size, MonoTime deadline);

  Fd socket_;
  std::uint32_t next_session_ = 1;
};

}  // namespace skerry::qemu
