#include "api/permit.h"

#include "base/text.h"
#include "wire/environment_json.h"

namespace skerry::api {

Status may_create(const Caller& caller, const EnvironmentSpec& spec) {
  if (!caller.may_touch_zone(spec.zone)) {
    return fail(ErrorCode::kRefused, cat("zone \"", spec.zone, "\" is not among yours"));
  }
  if (caller.role >= Role::kAdmin) return {};
  const auto refuse = [](std::string_view field) {
    return fail(ErrorCode::kRefused, cat(field, ": only an admin may give this"));
  };
  if (!spec.mounts.empty()) return refuse("mounts");
  if (!spec.rootfs_path.empty()) return refuse("rootfs_path");
  if (!spec.security.cap_add.empty()) return refuse("security.cap_add");
  if (!spec.security.seccomp_profile.empty()) return refuse("security.seccomp_profile");
  return {};
}

Status check_replica_config(const Caller& caller, std::string_view json) {
  const auto request = TRY_IN("config", wire::parse_create_request(json));
  return may_create(caller, request.command.spec);
}

}  // namespace skerry::api
