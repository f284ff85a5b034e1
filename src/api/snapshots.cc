// /api/v1/snapshots, and below an environment: take, list, show, restore, fork, remove.
#include "api/find.h"
#include "api/handlers.h"
#include "api/permit.h"
#include "base/text.h"
#include "wire/json_writer.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

void write_snapshot(wire::JsonWriter& json, const Snapshot& snapshot) {
  json.begin_object()
      .field("name", snapshot.name)
      .field("environment", snapshot.environment)
      .field("zone", snapshot.spec.zone)
      .field("image", snapshot.spec.image)
      .field("plugin", snapshot.spec.plugin)
      .field("memory", snapshot.with_memory)
      .field("size", snapshot.size_bytes)
      .field("created_at", to_rfc3339(snapshot.created_at))
      .end_object();
}

Response snapshot_response(const Snapshot& snapshot, int status) {
  wire::JsonWriter json;
  write_snapshot(json, snapshot);
  Response response = json_response(std::move(json).text(), status);
  if (status == 201) response.headers.emplace_back("Location", cat("/api/v1/snapshots/", snapshot.name));
  return response;
}

// kNotFound also for one in a zone that is not the caller's.
Result<Snapshot> find_snapshot(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  auto snapshot = TRY(context.ports.snapshots.find(name));
  if (request.caller.may_touch_zone(snapshot.spec.zone)) return snapshot;
  return fail(ErrorCode::kNotFound, cat("snapshot \"", name, "\" does not exist"), "see: skerry snapshot ls");
}

Completion answer_with_fork(Request request, const Reply& reply) {
  return [request = std::move(request), reply](const Result<Environment>& environment) {
    if (!environment) return reply(fail(environment.error()));
    reply(made_response(request, *environment));
  };
}

}  // namespace

Result<Response> list_snapshots(Context& context, const Request& request) {
  auto all = TRY(context.ports.snapshots.list());
  std::erase_if(all, [&](const Snapshot& each) { return !request.caller.may_touch_zone(each.spec.zone); });
  return list_page(request, all, write_snapshot);
}

// Not those of an environment that had its name before.
Result<Response> environment_snapshots(Context& context, const Request& request) {
  const auto environment = TRY(find_environment(context, request));
  auto all = TRY(context.ports.snapshots.list());
  std::erase_if(all, [&](const Snapshot& each) { return each.environment_id != environment.id; });
  return list_page(request, all, write_snapshot);
}

Result<Response> show_snapshot(Context& context, const Request& request) {
  return snapshot_response(TRY(find_snapshot(context, request)), 200);
}

Result<Response> remove_snapshot(Context& context, const Request& request) {
  TRY(context.ports.snapshots.remove(TRY(find_snapshot(context, request)).name));
  return no_content();
}

// The form that the route table wants.
// NOLINTBEGIN(performance-unnecessary-value-param)
void take_snapshot(Context& context, Request request, Reply reply) {
  const auto environment = find_environment(context, request);
  if (!environment) return reply(fail(environment.error()));
  const auto name = wire::parse_snapshot_request(request.body);
  if (!name) return reply(fail(name.error()));
  context.ports.snapshots.take(environment->spec.name, *name, [reply](const Result<Snapshot>& snapshot) {
    if (!snapshot) return reply(fail(snapshot.error()));
    reply(snapshot_response(*snapshot, 201));
  });
}

void restore_snapshot(Context& context, Request request, Reply reply) {
  const auto snapshot = find_snapshot(context, request);
  if (!snapshot) return reply(fail(snapshot.error()));
  context.ports.snapshots.restore(snapshot->name,
                                  [caller = request.caller, reply](const Result<Environment>& environment) {
                                    if (!environment) return reply(fail(environment.error()));
                                    reply(environment_response(caller, *environment));
                                  });
}

void fork_environment(Context& context, Request request, Reply reply) {
  const auto environment = find_environment(context, request);
  if (!environment) return reply(fail(environment.error()));
  if (auto allowed = may_create(request.caller, environment->spec); !allowed) return reply(fail(allowed.error()));
  const auto wanted = wire::parse_fork_request(request.body);
  if (!wanted) return reply(fail(wanted.error()));
  context.ports.snapshots.fork(environment->spec.name, *wanted, answer_with_fork(request, reply));
}

void fork_snapshot(Context& context, Request request, Reply reply) {
  const auto snapshot = find_snapshot(context, request);
  if (!snapshot) return reply(fail(snapshot.error()));
  if (auto allowed = may_create(request.caller, snapshot->spec); !allowed) return reply(fail(allowed.error()));
  const auto wanted = wire::parse_fork_request(request.body);
  if (!wanted) return reply(fail(wanted.error()));
  context.ports.snapshots.fork_snapshot(snapshot->name, *wanted, answer_with_fork(request, reply));
}
// NOLINTEND(performance-unnecessary-value-param)

}  // namespace skerry::api
