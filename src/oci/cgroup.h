// The container's control groups: made before it, joined by it, removed after it.
//
//   plan ──> make (mkdir, limits) ──> enter (the container joins) ──> … update, freeze, signal … ──> remove
//
// With the systemd manager the group is a scope's (systemd_scope.h), which takes a process to be made: the placeholder.
//
// The value that is passed along is CgroupRecord (wire/oci_spec_state.h): the directories, one a hierarchy. It is saved
// before make(), so that remove() always knows what may exist. cgroup_v1.cc and cgroup_v2.cc write the limits.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "oci/cgroup_layout.h"
#include "oci/systemd_scope.h"
#include "wire/oci_spec.h"
#include "wire/oci_spec_state.h"

namespace skerry::oci {

enum class CgroupManager : std::uint8_t { kCgroupfs, kSystemd, kDisabled };

// Where the groups will be. cgroupsPath (config-linux.md): absolute is below the mount point, relative below the
// runtime's own group; empty is /skerry/<id>. For systemd it is slice:prefix:name, and the host must be pure v2.
Result<CgroupRecord> plan_cgroup(const CgroupLayout& layout, CgroupManager manager, const std::string& cgroups_path,
                                 const std::string& id);

// kConflict when there are processes in the group already: it is somebody else's, and deleting us would end them.
Status check_unused(const CgroupRecord& record);

// Makes the directories and writes the limits. A limit whose controller is missing is an error that names it. An
// ordinary user may lack the right to make a group: that hierarchy is taken out of `record`, as if it did not exist.
// systemd: `placeholder` is started and must live until the container's first process is in the group.
Status make_cgroup(const CgroupLayout& layout, CgroupRecord& record, const Resources& resources,
                   Placeholder& placeholder);
// Writes limits into existing groups (`update`): only what `resources` has.
Status update_cgroup(const CgroupRecord& record, const Resources& resources);

// How a process gets in. v1: it writes "0" into the `tasks` file of each hierarchy itself, as a single thread, which
// spares the kernel the global lock (~10 ms) that moving a process from outside takes. v2: it is born there
// (CLONE_INTO_CGROUP), for the same reason.
struct CgroupDoor {
  std::vector<Fd> v1_tasks;
  Fd unified;  // directory
};
Result<CgroupDoor> open_cgroup(const CgroupRecord& record);
// Moves another process in from outside: takes the kernel's global lock, which is why nothing on the usual way does it.
Status move_into_cgroup(const CgroupRecord& record, pid_t pid);
// The caller joins through `door`; it must have one thread.
Status enter_v1(const CgroupDoor& door);

// All processes in the groups and below, as pids of the runtime's namespace.
Result<std::vector<int>> cgroup_pids(const CgroupRecord& record);
// Sends a signal to all of them, also when they fork meanwhile. SIGKILL wins over a frozen group.
Status signal_cgroup(const CgroupRecord& record, int signal_number);
enum class Freeze : std::uint8_t { kFreeze, kThaw };
// Waits until the kernel says it is done.
Status freeze_cgroup(const CgroupRecord& record, Freeze what);
bool is_frozen(const CgroupRecord& record);
// Kills what is left and removes the directories. Missing ones are fine; busy ones are tried for a second.
Status remove_cgroup(const CgroupRecord& record);

// The directory that has `controller` ("memory"), or the unified one; nullptr when there is none.
const CgroupRecord::Directory* find_directory(const CgroupRecord& record, std::string_view controller);
inline bool is_unified(const CgroupRecord::Directory& directory) { return directory.controllers.empty(); }

// The units of v1, in which config.json speaks, in those of v2 (and of systemd): CPU shares (2 to 262144, default 1024)
// and blkio weights (10 to 1000) as weights (1 to 10000).
std::uint64_t weight_from_shares(std::uint64_t shares);
std::uint64_t weight_from_block_io(std::uint16_t weight);
inline constexpr std::uint64_t kDefaultCpuPeriodUs = 100000;

// cgroup_v1.cc, cgroup_v2.cc: write the limits of `resources` into the groups.
Status set_v1_limits(const CgroupRecord& record, const Resources& resources);
Status set_v2_limits(const std::string& directory, const Resources& resources);
// Turns on the controllers that `resources` needs in every group from `mount_point` down to the parent of `directory`.
Status enable_v2_controllers(const std::string& mount_point, const std::string& directory, const Resources& resources);
// A new v1 cpuset is empty and takes nobody until it has CPUs and memory nodes: copies the parent's, from the top down.
Status prepare_v1_cpuset(const std::string& mount_point, const std::string& directory);

}  // namespace skerry::oci
