// /api/v1/environments and /api/v1/vms: list, show, create, update, delete.
#include <algorithm>
#include <atomic>
#include <memory>
#include <tuple>

#include "api/find.h"
#include "api/handlers.h"
#include "api/health_wait.h"
#include "api/permit.h"
#include "base/text.h"
#include "core/plan.h"
#include "wire/environment_json.h"

namespace skerry::api {
namespace {

constexpr std::uint64_t kMaxGraceMs = 3'600'000;

struct Filter {
  std::string_view name;
  bool (*passes)(const Environment& environment, std::string_view wanted);
};
using Spec = EnvironmentSpec;
// "KEY" asks for the label, "KEY=VALUE" also for its value.
bool has_label(const Environment& environment, std::string_view wanted) {
  const auto equals = wanted.find('=');
  const auto label = environment.spec.labels.find(std::string(wanted.substr(0, equals)));
  if (label == environment.spec.labels.end()) return false;
  return equals == std::string_view::npos || label->second == wanted.substr(equals + 1);
}
// "restarting" is no state of its own, but what people see between two runs of a restart policy.
bool is_in_state(const Environment& environment, std::string_view wanted) {
  if (wanted == "restarting") return restart_due(environment);
  return to_text(environment.status.state) == wanted;
}
template <auto Member>
bool is_equal(const Environment& environment, std::string_view wanted) {
  return environment.spec.*Member == wanted;
}
template <auto Member>
bool is_word(const Environment& environment, std::string_view wanted) {
  return to_text(environment.spec.*Member) == wanted;
}
constexpr Filter kFilters[] = {{"state", is_in_state},
                               {"zone", is_equal<&Spec::zone>},
                               {"isolation", is_word<&Spec::isolation>},
                               {"kind", is_word<&Spec::kind>},
                               {"plugin", is_equal<&Spec::plugin>},
                               {"deployment", is_equal<&Spec::deployment>},
                               {"image", is_equal<&Spec::image>},
                               {"label", has_label}};

// The filters of a request, looked up once and not for each environment.
using Wanted = std::vector<std::pair<const Filter*, std::string>>;
Wanted wanted_by(const Request& request) {
  Wanted out;
  for (const auto& filter : kFilters) {
    if (auto value = request.option(std::string(filter.name))) out.emplace_back(&filter, std::move(*value));
  }
  return out;
}

bool passes_filters(const Wanted& wanted, const Environment& environment) {
  return std::ranges::all_of(wanted, [&](const auto& each) { return each.first->passes(environment, each.second); });
}

// A filter that is not understood must not pass everything.
Status check_filters(const Request& request) {
  if (const auto state = request.option("state"); state && *state != "restarting") {
    TRY_IN("query state", parse_state(*state));
  }
  if (const auto isolation = request.option("isolation")) TRY_IN("query isolation", parse_isolation(*isolation));
  if (const auto kind = request.option("kind")) TRY_IN("query kind", parse_kind(*kind));
  return {};
}

Status sort_by(EnvironmentViews& list, const std::string& key) {
  // Equal ones as they were created.
  const auto by = [&](auto key_of) {
    std::ranges::sort(list, {}, [&](const EnvironmentView& e) {
      return std::tuple(key_of(e), e->status.created_at.ns, std::string_view(e->spec.name));
    });
  };
  if (key.empty() || key == "created_at") return {};  // as they come
  if (key == "name") {
    by([](const EnvironmentView& e) { return std::string_view(e->spec.name); });
  } else if (key == "state") {
    by([](const EnvironmentView& e) { return to_text(e->status.state); });
  } else if (key == "memory_mb") {
    by([](const EnvironmentView& e) { return e->spec.resources.memory_mib; });
  } else {
    return fail(ErrorCode::kInvalidArgument, "query sort: must be created_at, name, state or memory_mb");
  }
  return {};
}

Response into_frames(Controller& controller, Conversation stdio, const std::string& name) {
  Response response;
  response.status = 101;
  response.headers.emplace_back("X-Environment", name);
  // Who waits for `skerry run --rm` may use the name again at once.
  response.upgrade = Upgrade{std::move(stdio), [&controller, name](std::function<void()> done) {
                               controller.wait_exit(name, [done = std::move(done)](const auto&) { done(); });
                             }};
  return response;
}

// Creates, starts, and turns the connection into the workload's stdio.
void run_in_foreground(Context& context, const CreateCommand& command, const Reply& reply) {
  auto& controller = context.ports.controller;
  const std::string name = command.spec.name;
  auto answered = std::make_shared<std::atomic<bool>>(false);
  controller.run_attached(
      command,
      [&controller, reply, name, answered](Conversation stdio) {
        *answered = true;
        reply(into_frames(controller, std::move(stdio), name));
      },
      [&controller, reply, name, answered](Result<Environment> environment) {
        if (*answered) return;
        if (!environment) return reply(fail(std::move(environment).error()));
        // A driver that cannot hand it over at the start: what is written until now stands only in the log.
        auto stdio = controller.attach(name);
        if (!stdio) return reply(fail(std::move(stdio).error()));
        reply(into_frames(controller, std::move(*stdio), name));
      });
}

Result<wire::CreateRequest> read_create(const Request& request) {
  auto create =
      TRY(wire::parse_create_request(request.body, request.vms_only ? Isolation::kMicrovm : Isolation::kContainer));
  const auto& spec = create.command.spec;
  if (request.vms_only && spec.isolation == Isolation::kContainer) {
    return fail(ErrorCode::kInvalidArgument, "isolation: a VM cannot be a container",
                "use microvm or vm, or POST to /api/v1/environments");
  }
  TRY(may_claim(spec));
  TRY(may_create(request.caller, spec));
  TRY(may_fetch(request.caller, spec));
  return create;
}

}  // namespace

Result<Response> list_environments(Context& context, const Request& request) {
  const auto page = TRY(read_page(request));
  TRY(check_filters(request));
  const auto wanted = wanted_by(request);
  EnvironmentViews all = context.ports.controller.views();
  std::erase_if(
      all, [&](const EnvironmentView& each) { return !is_visible(request, *each) || !passes_filters(wanted, *each); });
  TRY(sort_by(all, page.sort));
  const std::size_t total = all.size();
  return list_response(context.documents.list(cut_page(std::move(all), page)), total);
}

Result<Response> show_environment(Context& context, const Request& request) {
  return environment_response(request.caller, TRY(find_environment(context, request)));
}

// NOLINTBEGIN(performance-unnecessary-value-param): Handlers
void create_environment(Context& context, Request request, Reply reply) {
  auto create = read_create(request);
  if (!create) return reply(fail(std::move(create).error()));
  if (request.wants_frames) return run_in_foreground(context, create->command, reply);
  auto& controller = context.ports.controller;
  const std::string name = create->command.spec.name;
  controller.submit(std::move(create->command), [&context, request, reply](Result<Environment> environment) {
    if (!environment) return reply(fail(std::move(environment).error()));
    reply(
        when_healthy(context, *environment, [request](const Environment& now) { return made_response(request, now); }));
  });
  if (create->wait) return;
  // Stored and on its way; a refusal has been answered already, and only the first answer counts.
  if (auto environment = controller.find(name); environment) reply(made_response(request, *environment));
}

void update_environment(Context& context, Request request, Reply reply) {
  auto current = find_environment(context, request);
  if (!current) return reply(fail(std::move(current).error()));
  auto resources = wire::parse_update_request(request.body, current->spec.resources);
  if (!resources) return reply(fail(std::move(resources).error()));
  VerbCommand command;
  command.name = current->spec.name;
  command.verb = Verb::kUpdate;
  command.resources = *resources;
  context.ports.controller.submit(std::move(command),
                                  [caller = request.caller, reply](Result<Environment> environment) {
                                    if (!environment) return reply(fail(std::move(environment).error()));
                                    reply(environment_response(caller, *environment));
                                  });
}

void delete_environment(Context& context, Request request, Reply reply) {
  auto current = find_environment(context, request);
  if (!current) return reply(fail(std::move(current).error()));
  const auto force = request.flag("force");
  if (!force) return reply(fail(force.error()));
  const auto grace = request.number("grace_ms", 10'000, kMaxGraceMs);
  if (!grace) return reply(fail(grace.error()));
  VerbCommand command;
  command.name = current->spec.name;
  command.verb = *force ? Verb::kForceDelete : Verb::kDelete;
  command.grace_ms = static_cast<std::uint32_t>(*grace);
  context.ports.controller.submit(std::move(command), [reply](Result<Environment> environment) {
    if (!environment) return reply(fail(std::move(environment).error()));
    reply(no_content());
  });
}
// NOLINTEND(performance-unnecessary-value-param)

}  // namespace skerry::api
