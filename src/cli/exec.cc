// skerry exec, attach, shell: a conversation with a process inside.
#include <unistd.h>

#include <cerrno>

#include "base/terminal.h"
#include "base/text.h"
#include "cli/conversation.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/json_node.h"
#include "wire/requests.h"
#include "wire/spec_texts.h"

namespace skerry::cli {
namespace {

Result<wire::ExecRequest> request_of(const ExecOptions& options) {
  wire::ExecRequest request;
  request.command = options.command;
  request.workdir = options.workdir;
  request.user = options.user;
  request.terminal = options.terminal;
  if (const auto size = terminal_size(STDIN_FILENO); size && options.terminal) request.size = *size;
  for (const auto& variable : options.env) {
    auto [name, value] = TRY_IN("-e", wire::parse_variable(variable));
    request.env[std::move(name)] = std::move(value);
  }
  return request;
}

Status check_terminal(bool wanted) {
  if (!wanted || ::isatty(STDIN_FILENO) == 1) return {};
  return fail(ErrorCode::kInvalidArgument, "-t: standard input is not a terminal", "leave -t out");
}

Outcome end_conversation(Result<FrameChannel> channel, const ConversationForm& form) {
  if (!channel) {
    complain(channel.error());
    return start_exit_code_of(channel.error());
  }
  auto code = converse(std::move(*channel), form);
  if (code || code.error().sys_errno == EPIPE) return code;
  complain(code.error());
  return kExitNotStarted;
}

// Its end is that of the guest, whose exit code is told elsewhere.
Outcome serial_line(const Session& session, const ExecOptions& options, const std::string& path) {
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (terminal) note("the serial line: a key starts a shell, Ctrl-P Ctrl-Q leaves");
  return end_conversation(session.http.upgrade(path + "/attach?serial", ""),
                          {true, terminal, true, options.name, cat("console --serial ", options.name)});
}

}  // namespace

Outcome exec(const Session& session, const ExecOptions& options) {
  TRY(check_terminal(options.terminal));
  const auto body = wire::exec_request_json(TRY(request_of(options)));
  const auto path = cat(path_of(options.scope), "/", escape(options.name), "/exec");
  auto channel = session.http.upgrade(path, body);
  if (channel && !options.interactive) {
    // Without -i the command reads an empty input, as from /dev/null.
    // A failure here means that it has ended already: what it said is still to be read.
    static_cast<void>(write_frame(channel->socket.get(), FrameKind::kStdinEof, 0, {}));
  }
  return end_conversation(std::move(channel), {options.interactive, options.terminal, false, options.name,
                                               cat("exec ", options.name, " ps")});
}

Outcome attach(const Session& session, const ExecOptions& options) {
  const auto path = cat(path_of(options.scope), "/", escape(options.name));
  const auto environment = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", path)).body));
  const bool has_terminal = environment.at("terminal").flag();
  const bool has_line = environment.text("isolation") != "container";
  if (options.serial || (options.console && !has_terminal && has_line)) return serial_line(session, options, path);
  if (options.console && !has_terminal) {
    return fail(ErrorCode::kConflict, cat("\"", options.name, "\" has no terminal"),
                cat("make it with -t, or run a shell inside: skerry shell ", options.name));
  }
  const bool terminal = has_terminal && ::isatty(STDIN_FILENO) == 1;
  const bool input = environment.at("stdin_open").flag() || terminal;
  return end_conversation(session.http.upgrade(path + "/attach", ""),
                          {input, terminal, false, options.name, cat("attach ", options.name)});
}

}  // namespace skerry::cli
