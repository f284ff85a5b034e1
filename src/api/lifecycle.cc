// POST /environments/{name}/VERB: answered when it is so.
#include "api/find.h"
#include "api/handlers.h"
#include "api/health_wait.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

Completion answer_with_environment(const Request& request, Reply reply) {
  return [caller = request.caller, reply = std::move(reply)](Result<Environment> environment) {
    if (!environment) return reply(fail(std::move(environment).error()));
    reply(environment_response(caller, *environment));
  };
}

void submit(Context& context, const Request& request, VerbCommand command, Reply reply) {
  auto current = find_environment(context, request);
  if (!current) return reply(fail(std::move(current).error()));
  command.name = current->spec.name;
  context.ports.controller.submit(std::move(command), answer_with_environment(request, std::move(reply)));
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
  context.ports.controller.submit(std::move(command), [&context, caller = request.caller, reply = std::move(reply)](
                                                          const Result<Environment>& environment) {
    if (!environment) return reply(fail(Error(environment.error())));
    reply(when_healthy(context, *environment,
                       [caller](const Environment& now) { return environment_response(caller, now); }));
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
  context.ports.controller.wait_exit(current->spec.name, answer_with_environment(request, std::move(reply)));
}
// NOLINTEND(performance-unnecessary-value-param)

}  // namespace skerry::api
