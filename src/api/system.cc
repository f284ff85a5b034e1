// /healthz and /api/v1/system: that it lives, and what this host can do, with reasons.
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "api/handlers.h"
#include "wire/json_writer.h"

namespace skerry::api {

Result<Response> show_health(Context&, const Request&) {
  wire::JsonWriter json;
  json.begin_object().field("status", "ok").field("version", SKERRY_VERSION).end_object();
  return json_response(std::move(json).text());
}

namespace {

// Where its images and disks lie, and how much room is there: for those to whom the host belongs.
void write_state(wire::JsonWriter& json, const ApiConfig& config, const Caller& caller) {
  const std::string directory = config.tokens_path.substr(0, config.tokens_path.rfind('/'));
  struct statvfs space{};
  if (!caller.owns_host() || ::statvfs(directory.c_str(), &space) != 0) {
    json.null();
    return;
  }
  json.begin_object()
      .field("directory", directory)
      .field("free_bytes", static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize)
      .end_object();
}

}  // namespace

Result<Response> show_system(Context& context, const Request& request) {
  auto& ports = context.ports;
  utsname host{};
  ::uname(&host);
  std::map<std::string, std::uint64_t> by_state;
  std::map<std::string, std::uint64_t> by_isolation;
  EnvironmentViews environments = ports.controller.views();
  std::erase_if(environments, [&](const auto& each) { return !request.caller.may_touch_zone(each->spec.zone); });
  for (const auto& each : environments) {
    ++by_state[std::string(to_text(each->status.state))];
    ++by_isolation[std::string(to_text(each->spec.isolation))];
  }
  wire::JsonWriter json;
  json.begin_object()
      .field("version", SKERRY_VERSION)
      .field("pid", ::getpid())
      .field("uptime_ms", (ports.clock.monotonic() - context.started).count() / 1'000'000)
      .field("kernel", std::string_view(host.release))
      .field("architecture", std::string_view(host.machine))
      .key("isolations")
      .begin_object();
  for (const auto& [isolation, availability] : ports.controller.capabilities()) {
    json.key(to_text(isolation))
        .begin_object()
        .field("available", availability.available)
        .field("reason", availability.reason)
        .end_object();
  }
  json.end_object().key("environments").begin_object().field("total", environments.size());
  json.key("by_state").begin_object();
  for (const auto& [state, count] : by_state) json.field(state, count);
  json.end_object().key("by_isolation").begin_object();
  for (const auto& [isolation, count] : by_isolation) json.field(isolation, count);
  json.end_object().end_object();
  write_state(json.key("state"), context.config, request.caller);
  json.field("images", ports.images.list().size()).field("last_event_id", TRY(ports.store.last_event_id()));
  json.end_object();
  return json_response(std::move(json).text());
}

}  // namespace skerry::api
