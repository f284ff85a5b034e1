// What a workload can be asked by name: the actions of its plugin or of its creation, as requests to its base_url.
#include "api/find.h"
#include "api/handlers.h"
#include "base/text.h"
#include "control/http_exchange.h"
#include "core/state_machine.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

Result<WorkloadAction> find_action(const Environment& environment, const std::string& name) {
  const auto& actions = environment.spec.actions;
  const auto found = actions.find(name);
  if (found != actions.end()) return found->second;
  std::vector<std::string> names;
  names.reserve(actions.size());
  for (const auto& [each, action] : actions) names.push_back(each);
  return fail(ErrorCode::kNotFound, cat("\"", environment.spec.name, "\" has no action \"", name.substr(0, 64), "\""),
              names.empty() ? "its plugin names none" : cat("there are: ", join(names, ", ")));
}

Result<Response> run_action(const Environment& environment, const WorkloadAction& action, const Request& request,
                            const std::function<bool()>& cancelled) {
  HttpQuestion question;
  question.method = action.method;
  question.target = TRY(workload_target(environment, action.path));
  if (!request.body.empty()) question.content_type = request.content_type;
  question.body = request.body;
  const auto answer = TRY_IN(cat(action.method, " ", action.path),
                             ask_http(question, std::chrono::milliseconds(action.timeout_ms), cancelled));
  wire::JsonWriter json;
  json.begin_object()
      .field("status", answer.status)
      .field("content_type", answer.content_type)
      .field("body", answer.body)
      .end_object();
  return json_response(std::move(json).text());
}

Status start_action(Context& context, Request request, const Reply& reply) {
  const auto environment = TRY(find_environment(context, request));
  const auto action = TRY(find_action(environment, request.parameter("action")));
  if (environment.status.state != State::kRunning) {
    return fail(ErrorCode::kConflict, cat("\"", environment.spec.name, "\" is ", to_text(environment.status.state)),
                "start it first");
  }
  const Caller caller = request.caller;
  // On a thread of its own: workloads that hang hold up nobody.
  return context.execs.start(
      caller, environment.spec.name,
      [environment, action, request = std::move(request), reply](const std::function<bool()>& stopped) {
        const auto cancelled = [&] { return stopped() || (request.gone && *request.gone); };
        reply(run_action(environment, action, request, cancelled));
      });
}

}  // namespace

Result<Response> list_actions(Context& context, const Request& request) {
  const auto environment = TRY(find_environment(context, request));
  const std::vector<std::pair<std::string, WorkloadAction>> all(environment.spec.actions.begin(),
                                                                environment.spec.actions.end());
  return list_page(request, all, [](wire::JsonWriter& json, const auto& each) {
    const auto& [name, action] = each;
    json.begin_object()
        .field("name", name)
        .field("description", action.description)
        .field("method", action.method)
        .field("path", action.path)
        .field("timeout_ms", action.timeout_ms)
        .end_object();
  });
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): the signature of all handlers that answer later
void call_action(Context& context, Request request, Reply reply) {
  if (auto started = start_action(context, std::move(request), reply); !started) {
    reply(fail(std::move(started).error()));
  }
}

}  // namespace skerry::api
