#include "drivers/qemu/agent_client.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/keeper_protocol.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::qemu {

Result<AgentClient> AgentClient::connect(const std::string& run_dir) {
  const std::string path = KeeperPaths{run_dir}.channel_socket("agent");
  return AgentClient(TRY_IN("reach the guest's agent", unix_connect(path)));
}

// Never one byte more than the frame: what follows may belong to a conversation that is handed on.
Status AgentClient::receive_exactly(char* data, std::size_t size, MonoTime deadline) {
  const SystemClock clock;
  while (size > 0) {
    const auto left_ms = (deadline - clock.monotonic()).count() / 1'000'000;
    if (left_ms <= 0) return fail(ErrorCode::kDeadlineExceeded, "the guest's agent did not answer in time");
    pollfd poll_fd{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&poll_fd, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 1'000'000)));
    if (ready < 0 && errno != EINTR) return fail_errno("poll the agent's channel");
    if (ready <= 0) continue;
    const auto got = ::recv(socket_.get(), data, size, 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0 && errno != ECONNRESET) return fail_errno("receive from the agent's channel");
    if (got <= 0) return fail(ErrorCode::kUnavailable, "the guest's agent is gone");
    data += got;
    size -= static_cast<std::size_t>(got);
  }
  return {};
}

Result<Frame> AgentClient::receive(MonoTime deadline) {
  std::string bytes(kFrameHeaderSize, '\0');
  TRY(receive_exactly(bytes.data(), bytes.size(), deadline));
  const std::uint32_t length = TRY(decode_u32(std::string_view(bytes).substr(0, 4)));
  if (length > kMaxFramePayload) return fail(ErrorCode::kCorrupt, "the agent's channel: a frame too long");
  bytes.resize(kFrameHeaderSize + length);
  TRY(receive_exactly(bytes.data() + kFrameHeaderSize, length, deadline));
  FrameParser parser;
  parser.feed(bytes);
  auto frame = TRY(parser.next());
  if (!frame) return fail(ErrorCode::kInternal, "a whole frame was not one");
  return std::move(*frame);
}

Result<wire::AgentHello> AgentClient::await_ready(Duration timeout) {
  const MonoTime deadline = SystemClock().monotonic() + timeout;
  while (true) {
    const Frame frame = TRY(receive(deadline));
    if (frame.session == 0 && frame.kind == FrameKind::kReady) return wire::decode_hello(frame.payload);
  }
}

Result<std::uint32_t> AgentClient::post(const wire::AgentRequest& request) {
  const std::uint32_t session = next_session_++;
  TRY(write_frame(socket_.get(), FrameKind::kRequest, session, wire::encode_request(request)));
  return session;
}

Result<wire::AgentResponse> AgentClient::answer(std::uint32_t session, Duration timeout) {
  const MonoTime deadline = SystemClock().monotonic() + timeout;
  while (true) {
    const Frame frame = TRY(receive(deadline));
    if (frame.session != session) continue;
    // A session that the keeper closes without an answer: the guest went.
    if (frame.kind == FrameKind::kExit || frame.kind == FrameKind::kClose) {
      return fail(ErrorCode::kUnavailable, "the guest's agent is gone");
    }
    if (frame.kind != FrameKind::kResponse) continue;
    auto response = TRY(wire::decode_response(frame.payload));
    if (response.error) return fail(std::move(*response.error));
    return response;
  }
}

Result<wire::AgentResponse> AgentClient::request(const wire::AgentRequest& request, Duration timeout) {
  return annotate(answer(TRY(post(request)), timeout), wire::to_text(request.op));
}

Result<Conversation> AgentClient::open(const wire::AgentRequest& request, Duration timeout) && {
  const std::uint32_t session = TRY(post(request));
  TRY(answer(session, timeout));
  return Conversation{std::move(socket_), session};
}

}  // namespace skerry::qemu
