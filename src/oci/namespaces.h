// Namespaces: which ones the container gets new, and which existing ones it joins (namespaces(7)).
//
// A new PID namespace, a new time namespace with offsets and every join next to a user namespace need a step before the
// container's first process exists; see Staging.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

struct JoinedNamespace {
  std::string name;  // as in config.json
  int type = 0;      // CLONE_NEW*
  Fd fd;
};

struct NamespacePlan {
  std::uint64_t new_flags = 0;  // CLONE_NEW* to make
  std::vector<JoinedNamespace> joined;

  [[nodiscard]] bool makes(std::uint64_t type) const { return (new_flags & type) != 0; }
  [[nodiscard]] bool joins(int type) const;
  // The container has its own one of that type, new or joined.
  [[nodiscard]] bool has(int type) const { return makes(static_cast<std::uint64_t>(type)) || joins(type); }
  // A helper process has to join before the container's first process is cloned: PID and time namespaces only take
  // their effect on children, and what a user namespace shall own must be entered with the right credentials.
  [[nodiscard]] bool needs_staging() const;
};

// Opens the namespaces to be joined and checks that each is of the type it is named for.
Result<NamespacePlan> plan_namespaces(const Linux& linux_part);

// Enters them all, the user namespace as early as the credentials demand: everything is tried from outside first, what
// is refused there is tried again from inside.
Status join_namespaces(const std::vector<JoinedNamespace>& joined);

// Writes /proc/self/timens_offsets for the children to come; call after unshare(CLONE_NEWTIME).
Status set_time_offsets(const Linux& linux_part);

// The CLONE_NEW* flag of a name in config.json, 0 when there is none.
int namespace_type(std::string_view name);

}  // namespace skerry::oci
