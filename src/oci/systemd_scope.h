// A container's control group as a scope unit of systemd (org.freedesktop.systemd1(5), systemd.scope(5)).
//
//   runtime                                   systemd
//     a placeholder process is cloned
//     StartTransientUnit(name, PIDs=placeholder, Delegate, limits) ──▶ makes the group, moves the placeholder into it
//     ◀── JobRemoved "done" ───────────────────
//     the container's first process is born in the group; the placeholder ends
//     … SetUnitProperties on update …
//     StopUnit after the last process ────────▶ removes the group
//
// systemd refuses a scope without a process, hence the placeholder. With Delegate=yes the group is ours: what systemd
// has no property for is written into it directly, and so are the others, so that both agree.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "oci/dbus_message.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

struct ScopeName {
  std::string slice;  // "machine.slice"
  std::string unit;   // "libpod-0123.scope"
};
// cgroupsPath as "slice:prefix:name"; empty is "system.slice:skerry:<id>" ("user.slice" for an ordinary user), an empty
// slice likewise. kInvalidArgument names /linux/cgroupsPath.
Result<ScopeName> parse_scope_name(const std::string& cgroups_path, const std::string& id);
// "a-b.slice" lies in "a.slice": "/a.slice/a-b.slice"; "-.slice" is "".
std::string slice_directory(const std::string& slice);
// The unit properties that hold the limits of `resources`; errors name the JSON path.
Result<std::vector<DbusProperty>> limit_properties(const Resources& resources);

// The directory of the scope below the cgroup mount: where the service manager we talk to stands, and the slices.
Result<std::string> scope_directory(const ScopeName& name);

// The process that keeps a scope alive until the container has one; ends with this value.
class Placeholder {
 public:
  Placeholder() = default;
  Placeholder(const Placeholder&) = delete;
  Placeholder& operator=(const Placeholder&) = delete;
  ~Placeholder() { end(); }

  Status start();
  void end();
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  Fd pidfd_;
};

// Makes the scope with the placeholder in it, and waits until it stands.
Status start_scope(const ScopeName& name, const std::string& description, const Resources& resources,
                   const Placeholder& placeholder);
Status update_scope(const std::string& unit, const Resources& resources);
// An unknown unit is success: systemd forgets a scope by itself when its last process ends.
Status stop_scope(const std::string& unit);

}  // namespace skerry::oci
