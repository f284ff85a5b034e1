// POST /environments/{name}/exec and /attach: a conversation in frames, or, without an upgrade, a command that is run
// to its end and its output as a document.
#include <poll.h>

#include "api/find.h"
#include "api/handlers.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/json_writer.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

constexpr std::size_t kMaxOutput = 1U << 20U;  // of each stream; the rest is read and dropped
constexpr std::size_t kStdinPiece = 64U << 10U;

ExecSpec spec_of(const wire::ExecRequest& request) {
  ExecSpec spec;
  spec.argv = request.command;
  spec.env = request.env;
  spec.workdir = request.workdir;
  spec.user = request.user;
  spec.terminal = request.terminal;
  spec.size = request.size;
  return spec;
}

Response into_frames(Conversation conversation) {
  Response response;
  response.status = 101;
  response.upgrade = Upgrade{std::move(conversation), {}};
  return response;
}

struct Collected {
  std::string out;
  std::string err;
  bool cut = false;
  std::optional<std::uint32_t> exit_code;
};

void append_bounded(std::string& into, std::string_view bytes, bool& cut) {
  const auto room = kMaxOutput - std::min(into.size(), kMaxOutput);
  cut = cut || bytes.size() > room;
  into += bytes.substr(0, room);
}

Status take(const Frame& frame, Collected& into) {
  if (frame.kind == FrameKind::kStdout) append_bounded(into.out, frame.payload, into.cut);
  if (frame.kind == FrameKind::kStderr) append_bounded(into.err, frame.payload, into.cut);
  if (frame.kind == FrameKind::kExit) into.exit_code = TRY(decode_u32(frame.payload));
  return {};
}

Status take_frames(FrameParser& parser, std::uint32_t session, Collected& into) {
  while (auto frame = TRY(parser.next())) {
    if (frame->session == session) TRY(take(*frame, into));
  }
  return {};
}

// The frames of the command's whole input.
std::string input_frames(std::uint32_t session, std::string_view text) {
  std::string frames;
  for (std::size_t at = 0; at < text.size(); at += kStdinPiece) {
    frames += encode_frame(FrameKind::kStdin, session, text.substr(at, kStdinPiece));
  }
  return frames + encode_frame(FrameKind::kStdinEof, session, {});
}

// Feeds the input and gathers the output at once: neither may wait for the other.
Result<Collected> collect(const Conversation& conversation, const wire::ExecRequest& request, const Clock& clock) {
  const MonoTime deadline = clock.monotonic() + std::chrono::milliseconds(request.timeout_ms);
  const int socket = conversation.socket.get();
  TRY(sys::set_nonblocking(socket));
  std::string input = input_frames(conversation.session, request.stdin_text);
  FrameParser parser;
  Collected collected;
  std::string chunk(64U << 10U, '\0');
  while (!collected.exit_code) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock.monotonic()).count();
    if (left <= 0) {
      return fail(ErrorCode::kDeadlineExceeded, cat("the command did not end within ", request.timeout_ms, " ms"),
                  "give a larger timeout_ms");
    }
    pollfd poller{socket, static_cast<short>(input.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    if (::poll(&poller, 1, static_cast<int>(left)) < 0 && errno != EINTR) return fail_errno("poll");
    if ((poller.revents & POLLOUT) != 0) {
      const auto sent = ::write(socket, input.data(), input.size());
      if (sent > 0) input.erase(0, static_cast<std::size_t>(sent));
    }
    if ((poller.revents & (POLLIN | POLLHUP)) == 0) continue;
    const auto got = ::read(socket, chunk.data(), chunk.size());
    if (got == 0) return fail(ErrorCode::kUnavailable, "the environment ended before the command did");
    if (got < 0) continue;
    parser.feed({chunk.data(), static_cast<std::size_t>(got)});
    TRY(take_frames(parser, conversation.session, collected));
  }
  return collected;
}

}  // namespace

Result<Response> exec_environment(Context& context, const Request& request) {
  const auto environment = TRY(find_environment(context, request));
  const auto exec = TRY(wire::parse_exec_request(request.body));
  auto conversation = TRY(context.ports.controller.exec(environment.spec.name, spec_of(exec)));
  if (request.wants_frames) return into_frames(std::move(conversation));
  const auto collected = TRY(collect(conversation, exec, context.ports.clock));
  wire::JsonWriter json;
  json.begin_object()
      .field("exit_code", static_cast<std::int32_t>(*collected.exit_code))
      .field("stdout", collected.out)
      .field("stderr", collected.err)
      .field("truncated", collected.cut)
      .end_object();
  return json_response(std::move(json).text());
}

Result<Response> attach_environment(Context& context, const Request& request) {
  const auto environment = TRY(find_environment(context, request));
  if (!request.wants_frames) {
    return fail(ErrorCode::kInvalidArgument, "attach needs the header \"Upgrade: skerry-frames\"");
  }
  return into_frames(TRY(context.ports.controller.attach(environment.spec.name)));
}

}  // namespace skerry::api
