// POST /environments/{name}/VERB: answered when it is so.
#include "api/find.h"
#include "api/handlers.h"
#include "api/health_wait.h"
#include "wire/environment_json.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

void answer_with_environment(const Reply& reply, Result<Environment> environment) {
  if (!environment) return reply(fail(std::move(environment).error()));
  reply(json_response(wire::environment_json(*environment)));
}

void submit(Context& context, const Request& request, VerbCommand command, Reply reply) {
  auto current = find_environment(context, request);
  if (!current) return reply(fail(std::move(current).error()));
  command.name = current->spec.name;
  context.ports.controller.submit(std::move(command), [reply = std::move(reply)](Result<Environment> environment) {
    answer_with_environment(reply, std::move(environment));
  });
}

void submit_plain(Context& context, const Request& request, Verb verb, Reply reply) {
  VerbCommand command;
  command.verb = verb;
  submit(context, request, std::move(command), std::move(reply));
}

void submit_graceful(Context& context, const Request& request, Verb verb, Reply reply) {
  const auto grace = wire::parse_grace(request.body);
  if (!grace) return reply(fail(grace.error()));
  VerbCommand command;
  command.verb = verb;
  command.grace_ms = *grace;
  submit(context, request, std::move(command), std::move(reply));
}

}  // namespace

// NOLINTBEGIN(performance-unnecessary-value-param): Handlers
void start_environment(Context& context, Request request, Reply reply) {
  const auto wait = wire::parse_start_request(request.body);
  if (!wait) return reply(fail(wait.error()));
  if (!*wait) return submit_plain(context, request, Verb::kStart, std::move(reply));
  auto current = find_environment(context, request);
  if (!current) return reply(fail(std::move(current).error()));
  VerbCommand command;
  command.verb = Verb::kStart;
  command.name = current->spec.name;
  context.ports.controller.submit(
      std::move(command), [&context, reply = std::move(reply)](const Result<Environment>& environment) {
        if (!environment) return reply(fail(Error(environment.error())));
        reply(when_healthy(context, *environment,
                           [](const Environment& now) { return json_response(wire::environment_json(now)); }));
      });
}
void pause_environment(Context& context, Request request, Reply reply) {
  submit_plain(context, request, Verb::kPause, std::move(reply));
}
void resume_environment(Context& context, Request request, Reply reply) {
  submit_plain(context, request, Verb::kResume, std::move(reply));
}
void suspend_environment(Context& context, Request request, Reply reply) {
  submit_plain(context, request, Verb::kSuspend, std::move(reply));
}
void stop_environment(Context& context, Request request, Reply reply) {
  submit_graceful(context, request, Verb::kStop, std::move(reply));
}
void restart_environment(Context& context, Request request, Reply reply) {
  submit_graceful(context, request, Verb::kRestart, std::move(reply));
}

void kill_environment(Context& context, Request request, Reply reply) {
  const auto signal = wire::parse_kill_request(request.body);
  if (!signal) return reply(fail(signal.error()));
  VerbCommand command;
  command.verb = Verb::kKill;
  command.signal = *signal;
  submit(context, request, std::move(command), std::move(reply));
}

void wait_environment(Context& context, Request request, Reply reply) {
  auto current = find_environment(context, request);
  if (!current) return reply(fail(std::move(current).error()));
  context.ports.controller.wait_exit(current->spec.name, [reply = std::move(reply)](Result<Environment> environment) {
    answer_with_environment(reply, std::move(environment));
  });
}
// NOLINTEND(performance-unnecessary-value-param)

}  // namespace skerry::api
