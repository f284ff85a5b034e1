// POST /environments/{name}/exec, /copy and /attach: a conversation in frames, or, without an upgrade, a command that
// is run to its end and its output as a document.
#include "api/exec.h"

#include <poll.h>

#include <algorithm>

#include "api/find.h"
#include "api/handlers.h"
#include "api/permit.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

constexpr std::size_t kMaxOutput = 1U << 20U;  // of each stream; the rest is read and dropped
constexpr std::size_t kStdinPiece = 64U << 10U;
constexpr std::int64_t kLookAgainMs = 100;  // whether the client gave up

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

void append_bounded(std::string& into, std::string_view bytes, bool& cut) {
  const auto room = kMaxOutput - std::min(into.size(), kMaxOutput);
  cut = cut || bytes.size() > room;
  into += bytes.substr(0, room);
}

Status take(const Frame& frame, ExecOutcome& into) {
  if (frame.kind == FrameKind::kStdout) append_bounded(into.out, frame.payload, into.truncated);
  if (frame.kind == FrameKind::kStderr) append_bounded(into.err, frame.payload, into.truncated);
  if (frame.kind == FrameKind::kExit) into.exit_code = TRY(decode_u32(frame.payload));
  return {};
}

Status take_frames(FrameParser& parser, std::uint32_t session, ExecOutcome& into) {
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

// Moves what can be moved now, after waiting at most `patience_ms`. False: the other side is gone.
Result<bool> move_some(const Conversation& conversation, std::string& input, FrameParser& parser, ExecOutcome& outcome,
                       int patience_ms) {
  const int socket = conversation.socket.get();
  pollfd poller{socket, static_cast<short>(input.empty() ? POLLIN : POLLIN | POLLOUT), 0};
  if (::poll(&poller, 1, patience_ms) < 0 && errno != EINTR) return fail_errno("poll");
  if ((poller.revents & POLLOUT) != 0) {
    const auto sent = ::write(socket, input.data(), input.size());
    if (sent > 0) input.erase(0, static_cast<std::size_t>(sent));
  }
  if ((poller.revents & (POLLIN | POLLHUP)) == 0) return true;
  std::string chunk(64U << 10U, '\0');
  const auto got = ::read(socket, chunk.data(), chunk.size());
  if (got == 0) return false;
  if (got < 0) return true;
  parser.feed({chunk.data(), static_cast<std::size_t>(got)});
  TRY(take_frames(parser, conversation.session, outcome));
  return true;
}

// Feeds the input and gathers the output at once: neither may wait for the other.
Result<ExecOutcome> collect(const Conversation& conversation, const wire::ExecRequest& request, const Clock& clock,
                            const std::function<bool()>& cancelled) {
  const MonoTime deadline = clock.monotonic() + std::chrono::milliseconds(request.timeout_ms);
  TRY(sys::set_nonblocking(conversation.socket.get()));
  std::string input = input_frames(conversation.session, request.stdin_text);
  FrameParser parser;
  ExecOutcome outcome;
  while (!outcome.exit_code) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock.monotonic()).count();
    if (left <= 0) return outcome;
    if (cancelled && cancelled()) return fail(ErrorCode::kCancelled, "the client gave up");
    const auto patience = cancelled ? std::min<std::int64_t>(left, kLookAgainMs) : left;
    if (!TRY(move_some(conversation, input, parser, outcome, static_cast<int>(patience)))) {
      return fail(ErrorCode::kUnavailable, "the environment ended before the command did");
    }
  }
  return outcome;
}

}  // namespace

Result<Environment> find_to_enter(Context& context, const Request& request) {
  auto environment = TRY(find_environment(context, request));
  TRY_IN(cat("enter \"", environment.spec.name, "\""), may_create(request.caller, environment.spec));
  return environment;
}

Result<ExecOutcome> exec_to_end(Context& context, const Request& request, const wire::ExecRequest& exec,
                                const std::function<bool()>& cancelled) {
  const auto environment = TRY(find_to_enter(context, request));
  const auto conversation = TRY(context.ports.controller.exec(environment.spec.name, spec_of(exec)));
  return collect(conversation, exec, context.ports.clock, cancelled);
}

namespace {

Result<Response> run_exec(Context& context, const Request& request, const wire::ExecRequest& exec,
                          const std::function<bool()>& cancelled) {
  const auto environment = TRY(find_to_enter(context, request));
  auto conversation = TRY(context.ports.controller.exec(environment.spec.name, spec_of(exec)));
  if (request.wants_frames) return into_frames(std::move(conversation));
  const auto outcome = TRY(collect(conversation, exec, context.ports.clock, cancelled));
  if (!outcome.exit_code) {
    return fail(ErrorCode::kDeadlineExceeded, cat("the command did not end within ", exec.timeout_ms, " ms"),
                "give a larger timeout_ms");
  }
  wire::JsonWriter json;
  json.begin_object()
      .field("exit_code", static_cast<std::int32_t>(*outcome.exit_code))
      .field("stdout", outcome.out)
      .field("stderr", outcome.err)
      .field("truncated", outcome.truncated)
      .end_object();
  return json_response(std::move(json).text());
}

Status start_exec(Context& context, Request request, Reply reply) {
  auto exec = TRY(wire::parse_exec_request(request.body));
  const std::string name = TRY(find_environment(context, request)).spec.name;
  const Caller caller = request.caller;
  auto work = [&context, request = std::move(request), exec = std::move(exec),
               reply = std::move(reply)](const std::function<bool()>& stopped) {
    const auto cancelled = [&] { return stopped() || (request.gone && *request.gone); };
    reply(run_exec(context, request, exec, cancelled));
  };
  return context.execs.start(caller, name, std::move(work));
}

}  // namespace

void exec_environment(Context& context, Request request, Reply reply) {
  const Reply refuse = reply;
  if (auto started = start_exec(context, std::move(request), std::move(reply)); !started) {
    refuse(fail(std::move(started).error()));
  }
}

namespace {

Result<Conversation> streams_of(Context& context, const Environment& environment, bool serial) {
  auto& controller = context.ports.controller;
  return serial ? controller.serial(environment.spec.name) : controller.attach(environment.spec.name);
}

}  // namespace

// The terminal of its workload, as attach gives it, or the serial line.
Result<Response> open_console(Context& context, const Request& request) {
  const auto environment = TRY(find_to_enter(context, request));
  const bool serial = TRY(request.flag("serial"));
  if (!serial && !environment.spec.terminal) {
    return fail(ErrorCode::kConflict, cat("\"", environment.spec.name, "\" has no terminal"),
                "make it with terminal (-t), or run a shell inside with exec; a microVM has a serial line (?serial)");
  }
  if (!request.wants_websocket) {
    return fail(ErrorCode::kInvalidArgument, "the console is a WebSocket: it needs \"Upgrade: websocket\"");
  }
  Response response;
  response.status = 101;
  response.upgrade = Upgrade{TRY(streams_of(context, environment, serial)), {}, Upgrade::Form::kWebSocket};
  return response;
}

namespace {

Result<Response> run_copy(Context& context, const Request& request, const wire::CopyRequest& copy) {
  const auto environment = TRY(find_to_enter(context, request));
  ExecSpec spec;
  spec.program = ExecSpec::Program::kAgent;
  spec.argv = wire::copier_arguments(copy);
  return into_frames(TRY(context.ports.controller.exec(environment.spec.name, spec)));
}

Status start_copy(Context& context, Request request, Reply reply) {
  auto copy = TRY(wire::parse_copy_request(request.body));
  const std::string name = TRY(find_environment(context, request)).spec.name;
  if (!request.wants_frames) {
    return fail(ErrorCode::kInvalidArgument, "copy needs the header \"Upgrade: skerry-frames\"");
  }
  const Caller caller = request.caller;
  auto work = [&context, request = std::move(request), copy = std::move(copy),
               reply = std::move(reply)](const std::function<bool()>&) { reply(run_copy(context, request, copy)); };
  return context.execs.start(caller, name, std::move(work));
}

}  // namespace

// On a thread of its own, as exec: a hostile environment may keep the command from starting.
void copy_environment(Context& context, Request request, Reply reply) {
  const Reply refuse = reply;
  if (auto started = start_copy(context, std::move(request), std::move(reply)); !started) {
    refuse(fail(std::move(started).error()));
  }
}

Result<Response> attach_environment(Context& context, const Request& request) {
  const auto environment = TRY(find_to_enter(context, request));
  if (!request.wants_frames) {
    return fail(ErrorCode::kInvalidArgument, "attach needs the header \"Upgrade: skerry-frames\"");
  }
  return into_frames(TRY(streams_of(context, environment, TRY(request.flag("serial")))));
}

}  // namespace skerry::api
