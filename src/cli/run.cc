// skerry run, skerry create, skerry vms create.
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "cli/conversation.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/run_spec.h"
#include "cli/verbs.h"
#include "core/plugin_version.h"
#include "wire/environment_json.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

// Whether creation failed because there is no such image here; then it can be pulled.
bool lacks_image(const Session& session, const Error& error, const std::string& image) {
  if (error.code != ErrorCode::kNotFound || image.empty()) return false;
  const auto found = session.http.call("GET", cat("/api/v1/images/", escape(image)));
  return found && found->status == 404;
}

// What it runs: the image that was named, or that of the plugin; "" for none, or a plugin of disks.
std::string image_of(const Session& session, const EnvironmentSpec& spec) {
  if (!spec.image.empty() || spec.plugin.empty()) return spec.image;
  const auto manifest = session.http.expect(
      "GET", cat("/api/v1/plugins/", escape(to_text(PluginRef{spec.plugin, spec.plugin_version})), "/manifest"));
  const auto json = manifest ? wire::JsonNode::parse(manifest->body) : fail(Error(manifest.error()));
  return json ? json->text("image") : std::string();
}

// Asks once; when the image is missing, pulls it and asks again.
template <typename Ask>
auto with_image(const Session& session, const RunOptions& options, const EnvironmentSpec& spec, Ask ask)
    -> decltype(ask()) {
  if (options.pull == "always") {
    if (const auto image = image_of(session, spec); !image.empty()) {
      TRY_IN("pull", pull_image(session, image, options.insecure_pull));
    }
  }
  auto answer = ask();
  if (answer || options.pull != "missing" || answer.error().code != ErrorCode::kNotFound) return answer;
  const std::string image = image_of(session, spec);
  if (!lacks_image(session, answer.error(), image)) return answer;
  if (!session.settings.quiet) note(cat("image ", image, " is not here: pulling it"));
  TRY_IN(cat("pull ", image), pull_image(session, image, options.insecure_pull));
  return ask();
}

// The daemon went while it had our request: what came of it is not known.
Error say_lost(const Session& session, const EnvironmentSpec& spec, Error error) {
  if (!session.http.lost()) return error;
  return {ErrorCode::kUnavailable, 0, cat(error.step, "; \"", spec.name, "\" may exist"),
          cat("when skerryd is back, look with: skerry ls; remove it with: skerry rm -f ", spec.name)};
}

Result<wire::JsonNode> post(const Session& session, const RunOptions& options, wire::CreateRequest request) {
  auto& spec = request.command.spec;
  // Chosen here, so that we can say what may exist when the answer does not come.
  if (spec.name.empty()) spec.name = wire::generated_name(spec);
  const std::string body = wire::create_request_json(request);
  const auto answer = TRY(with_image(session, options, spec, [&]() -> Result<HttpAnswer> {
    auto created = session.http.expect("POST", path_of(options.scope), body);
    if (!created) return fail(say_lost(session, spec, std::move(created).error()));
    return created;
  }));
  return wire::JsonNode::parse(answer.body);
}

// "nginx@9" where nginx is a plugin is no image that could be pulled.
Status check_version(const Session& session, const PluginRef& named) {
  const auto any = TRY(session.http.call("GET", cat("/api/v1/plugins/", escape(named.name))));
  if (any.status != 200) return {};
  return fail(ErrorCode::kNotFound, cat("plugin \"", named.name, "\" has no version \"", named.version, "\""),
              "see: skerry plugins list");
}

// A name that is an installed plugin's means the plugin; an image of that name is told apart by its tag or registry.
Status prefer_plugin(const Session& session, const RunOptions& options, EnvironmentSpec& spec) {
  const auto named = parse_plugin_ref(options.source);
  const bool may_be = spec.plugin.empty() && is_dns_label(named.name) && !named.version.starts_with("sha256:");
  if (options.source.empty() || !may_be) return {};
  const auto found = TRY(session.http.call("GET", cat("/api/v1/plugins/", escape(options.source))));
  if (found.status != 200) return named.version.empty() ? Status() : check_version(session, named);
  spec.plugin = named.name;
  spec.plugin_version = named.version;
  spec.image.clear();
  return {};
}

Result<CreateCommand> wanted(const Session& session, const RunOptions& options) {
  auto command = TRY(resolve_command(options));
  TRY(prefer_plugin(session, options, command.spec));
  return command;
}

Status print_created(const Session& session, const wire::JsonNode& environment) {
  if (session.settings.output == OutputForm::kJson) return print_json(environment);
  return print(environment.text("name") + "\n");
}

// Ctrl-C before anything runs: what is being made must not stay behind unseen.
Error give_up(const Session& session, const RunOptions& options, const EnvironmentSpec& spec) {
  const std::string path = cat(path_of(options.scope), "/", escape(spec.name));
  if (!spec.auto_remove) {
    return {ErrorCode::kCancelled, 0, cat("interrupted while \"", spec.name, "\" was started; it may run all the same"),
            cat("remove it with: skerry rm -f ", spec.name)};
  }
  // On a connection of its own: the other one still waits for its answer.
  HttpClient http(session.http.endpoint());
  const auto removed = http.expect("DELETE", path + "?force=1&grace_ms=0");
  if (removed || removed.error().code == ErrorCode::kNotFound) {
    return {ErrorCode::kCancelled, 0, cat("interrupted; \"", spec.name, "\" is removed"), {}};
  }
  return removed.error();
}

Result<FrameChannel> open_run(const Session& session, const RunOptions& options, const EnvironmentSpec& spec,
                              const std::string& body) {
  const InterruptGuard guard;
  session.http.stop_when(&interrupted());
  auto channel = session.http.upgrade(path_of(options.scope), body);
  session.http.stop_when(nullptr);
  if (channel) return channel;
  if (channel.error().code == ErrorCode::kCancelled) return fail(give_up(session, options, spec));
  return fail(say_lost(session, spec, std::move(channel).error()));
}

Outcome foreground(const Session& session, const RunOptions& options, wire::CreateRequest request) {
  if (request.command.spec.terminal && ::isatty(STDIN_FILENO) != 1) {
    return fail(ErrorCode::kInvalidArgument, "-t: standard input is not a terminal", "leave -t out");
  }
  auto& spec = request.command.spec;
  // Chosen here, so that we know what to remove when we are interrupted before the answer.
  if (spec.name.empty()) spec.name = wire::generated_name(spec);
  const std::string body = wire::create_request_json(request);
  auto channel = TRY(with_image(session, options, spec, [&] { return open_run(session, options, spec, body); }));
  ConversationForm form{spec.stdin_open, spec.terminal, false, spec.name, cat("attach ", spec.name)};
  if (spec.auto_remove) form.give_up = [&] { return give_up(session, options, spec).message(); };
  return converse(std::move(channel), form);
}

Outcome run_spec(const Session& session, const RunOptions& options) {
  wire::CreateRequest request;
  request.command = TRY(wanted(session, options));
  if (!options.detach) return foreground(session, options, std::move(request));
  TRY(print_created(session, TRY(post(session, options, request))));
  return kExitSuccess;
}

}  // namespace

Outcome run(const Session& session, const RunOptions& options) {
  auto outcome = run_spec(session, options);
  if (outcome) return outcome;
  if (outcome.error().sys_errno == EPIPE) return outcome;
  complain(outcome.error());
  if (outcome.error().code == ErrorCode::kCancelled) return kExitInterrupted;
  // What was wrong with the call itself keeps its own code.
  return outcome.error().code == ErrorCode::kInvalidArgument ? kExitUsage : start_exit_code_of(outcome.error());
}

Outcome create(const Session& session, const RunOptions& options) {
  wire::CreateRequest request;
  request.command = TRY(wanted(session, options));
  request.command.start = false;
  TRY(print_created(session, TRY(post(session, options, request))));
  return kExitSuccess;
}

Outcome create_vm(const Session& session, const RunOptions& options) {
  wire::CreateRequest request;
  request.command = TRY(wanted(session, options));
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
