#include "oci/namespaces.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace skerry::oci {
namespace {

struct TypeName {
  std::string_view name;
  int type;
};
constexpr std::array kTypes = {
    TypeName{"pid", CLONE_NEWPID},       TypeName{"network", CLONE_NEWNET}, TypeName{"mount", CLONE_NEWNS},
    TypeName{"ipc", CLONE_NEWIPC},       TypeName{"uts", CLONE_NEWUTS},     TypeName{"user", CLONE_NEWUSER},
    TypeName{"cgroup", CLONE_NEWCGROUP}, TypeName{"time", CLONE_NEWTIME},
};

Result<JoinedNamespace> open_namespace(const Namespace& entry, std::size_t index) {
  const std::string place = cat("/linux/namespaces/", index, "/path");
  JoinedNamespace out{entry.type, namespace_type(entry.type), TRY_IN(place, sys::open(entry.path, O_RDONLY))};
  const int type = ::ioctl(out.fd.get(), NS_GET_NSTYPE);
  if (type != out.type) {
    return fail(ErrorCode::kInvalidArgument, cat(place, ": ", entry.path, " is not a ", entry.type, " namespace"));
  }
  return out;
}

}  // namespace

int namespace_type(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &TypeName::name);
  return found == kTypes.end() ? 0 : found->type;
}

bool NamespacePlan::joins(int type) const {
  return std::ranges::any_of(joined, [&](const auto& entry) { return entry.type == type; });
}

bool NamespacePlan::needs_staging() const {
  if (makes(CLONE_NEWTIME)) return true;
  if (joined.empty()) return false;
  return makes(CLONE_NEWUSER) || joins(CLONE_NEWUSER) || joins(CLONE_NEWPID) || joins(CLONE_NEWTIME);
}

Result<NamespacePlan> plan_namespaces(const Linux& linux_part) {
  NamespacePlan plan;
  for (std::size_t index = 0; index < linux_part.namespaces.size(); ++index) {
    const auto& entry = linux_part.namespaces[index];
    if (entry.path.empty()) {
      plan.new_flags |= static_cast<std::uint64_t>(namespace_type(entry.type));
    } else {
      plan.joined.push_back(TRY(open_namespace(entry, index)));
    }
  }
  if (!linux_part.uid_mappings.empty() && !plan.has(CLONE_NEWUSER)) {
    return fail(ErrorCode::kInvalidArgument, "/linux/uidMappings: id mappings need a user namespace");
  }
  if (plan.makes(CLONE_NEWUSER) && (linux_part.uid_mappings.empty() || linux_part.gid_mappings.empty())) {
    return fail(ErrorCode::kInvalidArgument,
                "/linux/uidMappings: a new user namespace needs uidMappings and gidMappings");
  }
  if (!linux_part.time_offsets.empty() && !plan.makes(CLONE_NEWTIME)) {
    return fail(ErrorCode::kInvalidArgument, "/linux/timeOffsets: offsets need a new time namespace");
  }
  return plan;
}

Status join_namespaces(const std::vector<JoinedNamespace>& joined) {
  std::vector<const JoinedNamespace*> refused;
  const JoinedNamespace* user = nullptr;
  for (const auto& entry : joined) {
    if (entry.type == CLONE_NEWUSER) {
      user = &entry;
      continue;
    }
    const auto done = sys::setns(entry.fd.get(), entry.type);
    if (done) continue;
    if (done.error().sys_errno != EPERM) return fail(Error(done.error()).in(cat("join ", entry.name, " namespace")));
    refused.push_back(&entry);
  }
  if (user != nullptr) TRY_IN("join user namespace", sys::setns(user->fd.get(), CLONE_NEWUSER));
  for (const auto* entry : refused) {
    TRY_IN(cat("join ", entry->name, " namespace"), sys::setns(entry->fd.get(), entry->type));
  }
  return {};
}

Status set_time_offsets(const Linux& linux_part) {
  std::string text;
  for (const auto& [clock, offset] : linux_part.time_offsets) {
    text += cat(clock, " ", offset.secs, " ", offset.nanosecs, "\n");
  }
  if (text.empty()) return {};
  return annotate(write_existing("/proc/self/timens_offsets", text), "/linux/timeOffsets");
}

}  // namespace skerry::oci
