#include "drivers/container/id_range.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <set>
#include <vector>

#include "base/file_io.h"
#include "base/own_thread.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_process.h"
#include "base/text.h"
#include "core/net.h"

namespace skerry {
namespace {

constexpr std::uint32_t kFirstId = 1'879'048'192;
constexpr std::uint32_t kIdsEach = 65'536;
constexpr std::uint32_t kSlots = 4096;

// FNV-1a: the same on every host and in every release.
std::uint32_t hash_of(const std::string& text) {
  std::uint32_t hash = 2'166'136'261;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16'777'619;
  return hash;
}

constexpr std::string_view kSlotFile = "/id-slot";

// Of all other runs below the same directory. A run's directory goes with the run, and its slot with it.
std::set<std::uint32_t> taken_slots(const std::string& run_dir) {
  std::set<std::uint32_t> taken;
  const std::string parent = run_dir.substr(0, run_dir.rfind('/'));
  for (const auto& name : sys::list_directory(parent).value_or(std::vector<std::string>{})) {
    const std::string other = cat(parent, "/", name);
    if (other == run_dir) continue;
    const auto text = read_file(other + std::string(kSlotFile));
    const auto slot = text ? parse_int<std::uint32_t>(trim(*text), "slot") : fail(ErrorCode::kNotFound, "");
    if (slot) taken.insert(*slot);
  }
  return taken;
}

}  // namespace

Result<IdRange> claim_id_range(const EnvironmentPlace& place, const std::string& address) {
  static std::mutex mutex;  // one daemon a run directory: starts at the same time are threads of this process
  const std::lock_guard lock(mutex);
  const auto ip = Ipv4::parse(address);
  const std::uint32_t preferred = (ip ? ip->value : hash_of(place.id)) % kSlots;
  const auto taken = taken_slots(place.run_dir);
  for (std::uint32_t step = 0; step < kSlots; ++step) {
    const std::uint32_t slot = (preferred + step) % kSlots;
    if (taken.contains(slot)) continue;
    TRY(write_file_atomic(place.run_dir + std::string(kSlotFile), cat(slot, "\n"), 0600));
    return IdRange{kFirstId + slot * kIdsEach, kIdsEach};
  }
  return fail(ErrorCode::kResourceExhausted, cat("all ", kSlots, " ranges of user ids are in use"));
}

Result<Fd> make_user_namespace(const IdRange& ids) {
  sys::CloneRequest request;
  request.flags = CLONE_NEWUSER;
  const auto child = TRY(sys::clone(request));
  if (child.pid == 0) {
    // Holds the namespace until we have a descriptor of it; goes with us if we are killed before.
    static_cast<void>(sys::set_parent_death_signal(SIGKILL));
    while (true) ::pause();
  }
  const auto open_namespace = [&]() -> Result<Fd> {
    const std::string proc = cat("/proc/", child.pid);
    const std::string map = cat("0 ", ids.first, " ", ids.count, "\n");
    TRY(write_existing(proc + "/uid_map", map));
    TRY(write_existing(proc + "/gid_map", map));
    return sys::open(proc + "/ns/user", O_RDONLY);
  };
  auto opened = open_namespace();
  static_cast<void>(send_signal(child.pidfd.get(), SIGKILL));
  static_cast<void>(sys::wait_pid(child.pid));
  return annotate(std::move(opened), "make a user namespace");
}

Result<Fd> make_idmapped(const std::string& source, int user_namespace) {
  Fd mount = TRY(sys::clone_mount(AT_FDCWD, source, sys::Recursion::kNone));
  struct mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.propagation = MS_PRIVATE;
  attributes.userns_fd = static_cast<std::uint64_t>(user_namespace);
  if (auto set = sys::mount_setattr(mount.get(), attributes, sys::Recursion::kNone); !set) {
    Error error = std::move(set).error();
    if (error.sys_errno == EINVAL) {
      error.code = ErrorCode::kUnsupported;
      error.hint = "the file system below it has no ID-mapped mounts; run without a user namespace";
    }
    return fail(std::move(error).in(cat("map the owners of ", source)));
  }
  return mount;
}

namespace {

// Leaving fsuid 0 takes the capabilities over files out of the effective set (capabilities(7), "Effect of user ID
// changes on capabilities"); they are still permitted.
Status regain_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) < 0) return fail_errno("capget");
  for (auto& set : sets) set.effective = set.permitted;
  if (::syscall(SYS_capset, &header, sets.data()) < 0) return fail_errno("capset");
  return {};
}

}  // namespace

Status run_as_container_root(const IdRange& ids, const std::function<Status()>& work) {
  // These calls change the calling thread only; it ends with its odd credentials.
  return on_own_thread("for a container's files", [&]() -> Status {
    ::setfsgid(ids.first);
    ::setfsuid(ids.first);
    TRY(regain_capabilities());
    return work();
  });
}

}  // namespace skerry
