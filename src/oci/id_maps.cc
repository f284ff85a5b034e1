#include "oci/id_maps.h"

#include <unistd.h>

#include <chrono>

#include "base/file_io.h"
#include "base/process.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr std::chrono::seconds kHelperTimeout{10};

// newuidmap PID container host size …
Status map_by_helper(const std::string& helper, pid_t pid, const std::vector<IdMapping>& mappings) {
  SpawnSpec spec;
  spec.argv = {helper, cat(pid)};
  for (const auto& entry : mappings) {
    for (const auto number : {entry.container_id, entry.host_id, entry.size}) spec.argv.push_back(cat(number));
  }
  const auto output = TRY_IN(cat("run ", helper), run_command(spec, kHelperTimeout));
  if (!output.status.success()) {
    return fail(ErrorCode::kPermissionDenied, cat(helper, ": ", trim(output.err)), "see /etc/subuid and /etc/subgid");
  }
  return {};
}

bool maps_only_self(const std::vector<IdMapping>& mappings, std::uint32_t self) {
  return mappings.size() == 1 && mappings[0].size == 1 && mappings[0].host_id == self;
}

}  // namespace

std::string id_map_text(const std::vector<IdMapping>& mappings) {
  std::string out;
  for (const auto& entry : mappings) out += cat(entry.container_id, " ", entry.host_id, " ", entry.size, "\n");
  return out;
}

std::optional<std::uint32_t> host_id(const std::vector<IdMapping>& mappings, std::uint32_t container_id) {
  if (mappings.empty()) return container_id;
  for (const auto& entry : mappings) {
    if (container_id >= entry.container_id && container_id - entry.container_id < entry.size) {
      return entry.host_id + (container_id - entry.container_id);
    }
  }
  return std::nullopt;
}

Status write_id_maps(pid_t pid, const std::vector<IdMapping>& uids, const std::vector<IdMapping>& gids) {
  const std::string process = cat("/proc/", pid);
  const bool root = ::geteuid() == 0;
  if (!root && !maps_only_self(uids, ::geteuid())) {
    TRY_IN("/linux/uidMappings", map_by_helper("newuidmap", pid, uids));
  } else {
    TRY_IN("/linux/uidMappings", write_existing(process + "/uid_map", id_map_text(uids)));
  }
  if (!root && !maps_only_self(gids, ::getegid())) {
    return annotate(map_by_helper("newgidmap", pid, gids), "/linux/gidMappings");
  }
  // An unprivileged gid map is only accepted when setgroups(2) is given up (user_namespaces(7)).
  if (!root) TRY(write_existing(process + "/setgroups", "deny"));
  return annotate(write_existing(process + "/gid_map", id_map_text(gids)), "/linux/gidMappings");
}

}  // namespace skerry::oci
