#include "api/permit.h"

#include "api/route.h"
#include "base/text.h"
#include "core/deployment_plan.h"
#include "wire/environment_json.h"

namespace skerry::api {

namespace {

std::unexpected<Error> refuse(std::string_view field) {
  return fail(ErrorCode::kRefused, cat(field, ": only an admin of the whole host may give this"));
}

}  // namespace

Status may_create(const Caller& caller, const EnvironmentSpec& spec) {
  if (!caller.may_touch_zone(spec.zone)) {
    return fail(ErrorCode::kRefused, cat("zone \"", spec.zone, "\" is not among yours"));
  }
  if (caller.owns_host()) return {};
  if (!spec.mounts.empty()) return refuse("mounts");
  if (!spec.rootfs_path.empty()) return refuse("rootfs_path");
  if (!spec.devices.addresses.empty()) return refuse("devices");
  if (!spec.security.cap_add.empty()) return refuse("security.cap_add");
  if (!spec.security.seccomp_profile.empty()) return refuse("security.seccomp_profile");
  if (spec.security.allow_new_privileges) return refuse("security.allow_new_privileges");
  return {};
}

Status may_fetch(const Caller& caller, const EnvironmentSpec& requested) {
  if (caller.owns_host()) return {};
  if (requested.root_disk) return refuse("rootfs");
  if (requested.initramfs) return refuse("initramfs");
  return {};
}

Status may_claim(const EnvironmentSpec& spec) {
  if (!spec.deployment.empty()) {
    return fail(ErrorCode::kInvalidArgument, "deployment: is set by the deployment itself",
                "scale it for one more replica");
  }
  if (spec.labels.contains(std::string(kRevisionLabel))) {
    return fail(ErrorCode::kInvalidArgument, cat("labels: ", kRevisionLabel, " is set by the deployment itself"));
  }
  return {};
}

Status check_replica_config(const Caller& caller, std::string_view json) {
  const auto request = TRY_IN("config", wire::parse_create_request(json));
  TRY_IN("config", may_claim(request.command.spec));
  TRY_IN("config", may_fetch(caller, request.command.spec));
  return may_create(caller, request.command.spec);
}

Status may_serve(const Caller& caller, const std::optional<ServiceSpec>& service) {
  if (caller.owns_host() || !service || service->address.empty()) return {};
  return fail(ErrorCode::kRefused, "service.address: only an admin of the whole host may name it",
              "leave it out: then one is chosen");
}

bool may_see(const Caller& caller, const Event& event) {
  if (caller.zones.empty()) return true;
  if (const auto zone = event.data.find("zone"); zone != event.data.end()) return caller.may_touch_zone(zone->second);
  return event.type.starts_with("plugin.") || event.type.starts_with("image.");
}

bool may_see(const Caller& caller, const Operation& operation) {
  return caller.zones.empty() || operation.kind == "image.pull";
}

bool is_host_wide(const Route& route) {
  const auto below = [&](std::string_view prefix) {
    return route.path == prefix ||
           (route.path.starts_with(prefix) && route.path.substr(prefix.size()).starts_with('/'));
  };
  if (below("/api/v1/environments") || below("/api/v1/vms") || below("/api/v1/deployments") ||
      below("/api/v1/snapshots") || below("/mcp")) {
    return false;
  }
  if (route.path == "/api/v1/images" && route.method == "POST") return false;  // a pull: adds what all may use
  if (route.path == "/api/v1/policy/explain") return false;                    // answers of what the caller sees
  return route.method != "GET" || below("/api/v1/tokens") || below("/api/v1/policy");
}

}  // namespace skerry::api
