// skerry run, skerry create, skerry vms create.
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "cli/conversation.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/verbs.h"
#include "wire/environment_json.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

// Whether creation failed because there is no such image here; then it can be pulled.
bool lacks_image(const Session& session, const Error& error, const EnvironmentSpec& spec) {
  if (error.code != ErrorCode::kNotFound || spec.image.empty()) return false;
  const auto found = session.http.call("GET", cat("/api/v1/images/", escape(spec.image)));
  return found && found->status == 404;
}

// Asks once; when the image is missing, pulls it and asks again.
template <typename Ask>
auto with_image(const Session& session, const RunOptions& options, const EnvironmentSpec& spec, Ask ask)
    -> decltype(ask()) {
  if (options.pull == "always" && !spec.image.empty()) {
    TRY_IN("pull", pull_image(session, spec.image, options.insecure_pull));
  }
  auto answer = ask();
  if (answer || options.pull != "missing" || !lacks_image(session, answer.error(), spec)) return answer;
  if (!session.settings.quiet) note(cat("image ", spec.image, " is not here: pulling it"));
  TRY_IN(cat("pull ", spec.image), pull_image(session, spec.image, options.insecure_pull));
  return ask();
}

Result<wire::JsonNode> post(const Session& session, const RunOptions& options, const wire::CreateRequest& request) {
  const std::string body = wire::create_request_json(request);
  const auto answer = TRY(with_image(session, options, request.command.spec,
                                     [&] { return session.http.expect("POST", path_of(options.scope), body); }));
  return wire::JsonNode::parse(answer.body);
}

Status print_created(const Session& session, const wire::JsonNode& environment) {
  if (session.settings.output == OutputForm::kJson) return print_json(environment);
  return print(environment.text("name") + "\n");
}

Outcome foreground(const Session& session, const RunOptions& options, const wire::CreateRequest& request) {
  if (request.command.spec.terminal && ::isatty(STDIN_FILENO) != 1) {
    return fail(ErrorCode::kInvalidArgument, "-t: standard input is not a terminal", "leave -t out");
  }
  const std::string body = wire::create_request_json(request);
  auto channel = TRY(with_image(session, options, request.command.spec,
                                [&] { return session.http.upgrade(path_of(options.scope), body); }));
  return converse(std::move(channel), {request.command.spec.stdin_open, request.command.spec.terminal});
}

Outcome run_spec(const Session& session, const RunOptions& options) {
  wire::CreateRequest request;
  request.command.spec = TRY(resolve_spec(options));
  request.command.isolation_wish = isolation_wish(options);
  if (!options.detach) return foreground(session, options, request);
  TRY(print_created(session, TRY(post(session, options, request))));
  return kExitSuccess;
}

}  // namespace

Outcome run(const Session& session, const RunOptions& options) {
  auto outcome = run_spec(session, options);
  if (outcome) return outcome;
  if (outcome.error().sys_errno == EPIPE) return outcome;
  complain(outcome.error());
  // What was wrong with the call itself keeps its own code.
  return outcome.error().code == ErrorCode::kInvalidArgument ? kExitUsage : start_exit_code_of(outcome.error());
}

Outcome create(const Session& session, const RunOptions& options) {
  wire::CreateRequest request;
  request.command.spec = TRY(resolve_spec(options));
  request.command.isolation_wish = isolation_wish(options);
  request.command.start = false;
  TRY(print_created(session, TRY(post(session, options, request))));
  return kExitSuccess;
}

Outcome create_vm(const Session& session, const RunOptions& options) {
  wire::CreateRequest request;
  request.command.spec = TRY(resolve_spec(options));
  request.command.isolation_wish = isolation_wish(options);
  const auto vm = TRY(post(session, options, request));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(vm));
  } else {
    // The microVM document's words.
    TRY(print(cat("VM ", vm.text("name"), " created with IP ", vm.text("ip"), "\n")));
  }
  return kExitSuccess;
}

}  // namespace skerry::cli
