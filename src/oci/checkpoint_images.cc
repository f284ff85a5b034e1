#include "oci/checkpoint_images.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/file_io.h"
#include "base/mount_table.h"
#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/sys_namespace.h"
#include "base/sys_process.h"
#include "base/text.h"
#include "oci/criu.h"
#include "oci/mount_options.h"
#include "oci/namespaces.h"
#include "oci/out_of_memory.h"
#include "oci/safe_path.h"

namespace skerry::oci {
namespace {

bool is_bind(const Mount& mount) { return mount.type == "bind" || parse_mount_options(mount.options).bind; }

bool is_masked(const Spec& spec, const std::string& path) {
  const auto& masked = spec.linux_part.masked_paths;
  return std::ranges::any_of(masked, [&](const auto& one) { return clean_absolute(one) == path; });
}

// A destination may lead through links of the image: where the mount really is.
Result<std::string> mount_point_of(int root_fd, const std::string& destination) {
  const Fd place = TRY(open_in_root(root_fd, destination));
  return sys::readlink(cat("/proc/self/fd/", place.get()));
}

// Device nodes of the host that are mounted one by one: covers of masked files, devices in a user namespace. Terminals
// are of the container's own devpts.
std::string device_behind(const Spec& spec, const MountEntry& entry, int root_fd) {
  if (entry.type == "devpts") return {};
  const auto place = open_in_root(root_fd, entry.mount_point);
  if (!place) return {};
  const auto info = sys::fstat(place->get());
  if (!info || (!S_ISCHR(info->st_mode) && !S_ISBLK(info->st_mode))) return {};
  if (is_masked(spec, entry.mount_point)) return "/dev/null";
  return entry.mount_point.starts_with("/dev/") ? entry.mount_point : std::string();
}

// CRIU's name of a file that is not the container's: a pipe, or one of a mount the container does not see.
Result<std::string> outside_name(pid_t pid, int fd, const std::vector<MountEntry>& mounts) {
  const std::string link = TRY(sys::readlink(cat("/proc/", pid, "/fd/", fd)));
  if (link.starts_with("pipe:")) return link;
  if (!link.starts_with('/')) return std::string();
  const std::string info = TRY(read_file(cat("/proc/", pid, "/fdinfo/", fd)));
  for (const auto line : split(info, '\n')) {
    if (!line.starts_with("mnt_id:")) continue;
    const int id = TRY(parse_int<int>(trim(line.substr(7)), "mnt_id"));
    if (std::ranges::find(mounts, id, &MountEntry::id) != mounts.end()) return std::string();
    const auto inode = TRY(sys::stat(cat("/proc/", pid, "/fd/", fd))).st_ino;
    char text[64];
    std::snprintf(text, sizeof text, "file[%x:%llx]", static_cast<unsigned>(id),
                  static_cast<unsigned long long>(inode));
    return std::string(text);
  }
  return std::string();
}

std::uint64_t attributes_of(const std::string& options) {
  std::uint64_t out = 0;
  for (const auto word : split(options, ',')) {
    if (word == "ro") out |= MOUNT_ATTR_RDONLY;
    if (word == "nosuid") out |= MOUNT_ATTR_NOSUID;
    if (word == "nodev") out |= MOUNT_ATTR_NODEV;
    if (word == "noexec") out |= MOUNT_ATTR_NOEXEC;
  }
  return out;
}

Result<void> set_attributes(const CheckpointRecord& record, int namespace_fd) {
  TRY(sys::setns(namespace_fd, CLONE_NEWNS));
  for (const auto& mount : record.mounts) {
    const Fd place = TRY(sys::open(mount.mount_point, O_PATH | O_NOFOLLOW));
    struct mount_attr attributes{};
    attributes.attr_set = attributes_of(mount.options);
    if (attributes.attr_set != 0) TRY(sys::mount_setattr(place.get(), attributes, sys::Recursion::kNone));
  }
  return {};
}

struct JoinedName {
  int type;
  const char* kind;  // in criu's "--external"
  const char* name;  // runc's, so that images go both ways
};
constexpr std::array kJoined = {JoinedName{CLONE_NEWNET, "net", "extRootNetNS"},
                                JoinedName{CLONE_NEWPID, "pid", "extRootPidNS"}};

Result<const JoinedName*> joined_name(const Namespace& entry, std::size_t index) {
  const auto* found = std::ranges::find(kJoined, namespace_type(entry.type), &JoinedName::type);
  if (found != kJoined.end()) return found;
  return fail(ErrorCode::kUnsupported,
              cat("/linux/namespaces/", index, ": a joined ", entry.type, " namespace cannot be checkpointed"));
}

template <typename Visit>
Status each_joined(const Spec& spec, Visit visit) {
  const auto& entries = spec.linux_part.namespaces;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].path.empty()) continue;
    const auto* name = TRY(joined_name(entries[i], i));
    TRY_IN(cat("/linux/namespaces/", i, "/path"), visit(entries[i].path, *name));
  }
  return {};
}

Result<std::string> source_of(const CheckpointRecord::OutsideMount& mount, const Spec& spec) {
  if (!mount.device.empty()) return mount.device;
  const auto found = std::ranges::find(spec.mounts, mount.destination, &Mount::destination);
  if (found != spec.mounts.end()) return found->source;
  return fail(ErrorCode::kInvalidArgument,
              cat("/mounts: nothing is mounted at ", mount.destination, ", as it was at the checkpoint"));
}

}  // namespace

Result<CheckpointRecord> look_outside(const Spec& spec, pid_t pid) {
  CheckpointRecord out;
  const Fd root = TRY(sys::open(cat("/proc/", pid, "/root"), O_PATH | O_DIRECTORY));
  const auto mounts = TRY(read_mount_table(pid));
  for (const auto& mount : spec.mounts) {
    if (!is_bind(mount)) continue;
    out.mounts.push_back({TRY(mount_point_of(root.get(), mount.destination)), mount.destination, {}, {}});
  }
  for (const auto& entry : mounts) {
    const auto known = std::ranges::find(out.mounts, entry.mount_point, &CheckpointRecord::OutsideMount::mount_point);
    if (known != out.mounts.end()) {
      known->options = entry.options;
      continue;
    }
    const std::string device = device_behind(spec, entry, root.get());
    if (!device.empty()) out.mounts.push_back({entry.mount_point, {}, device, entry.options});
  }
  for (int fd = 0; fd <= 2; ++fd) out.descriptors.push_back(outside_name(pid, fd, mounts).value_or(""));
  return out;
}

Status protect_outside(const CheckpointRecord& record, pid_t pid) {
  const Fd mounts = TRY(sys::open(cat("/proc/", pid, "/ns/mnt"), O_RDONLY));
  // A process of its own: the runtime itself stays where the host's files are.
  const auto child = TRY(sys::clone({}));
  if (child.pid == 0) {
    const auto done = or_out_of_memory([&] { return set_attributes(record, mounts.get()); });
    ::_exit(done ? 0 : 1);
  }
  if (TRY(sys::wait_pid(child.pid)) == 0) return {};
  return fail(ErrorCode::kIo, "the attributes of restored mounts could not be set");
}

Status name_outside(const CheckpointRecord& record, const Spec& spec, CriuOptions& options) {
  for (const auto& mount : record.mounts) {
    options.external.push_back(cat("mnt[", mount.mount_point, "]:", mount.mount_point));
  }
  for (const auto& name : record.descriptors) {
    if (name.starts_with("file[")) options.external.push_back(name);
  }
  return each_joined(spec, [&](const std::string& path, const JoinedName& name) -> Status {
    const auto info = TRY(sys::stat(path));
    options.external.push_back(cat(name.kind, "[", info.st_ino, "]:", name.name));
    return {};
  });
}

Result<Inherited> supply_outside(const CheckpointRecord& record, const Spec& spec, CriuOptions& options) {
  for (const auto& mount : record.mounts) {
    options.external.push_back(cat("mnt[", mount.mount_point, "]:", TRY(source_of(mount, spec))));
  }
  Inherited out;
  const auto give = [&](const std::string& name, int fd) {
    options.inherit.emplace_back(name, Criu::kFirstInherited + static_cast<int>(out.numbers.size()));
    out.numbers.push_back(fd);
  };
  for (std::size_t i = 0; i < record.descriptors.size() && i <= 2; ++i) {
    if (!record.descriptors[i].empty()) give(record.descriptors[i], static_cast<int>(i));
  }
  TRY(each_joined(spec, [&](const std::string& path, const JoinedName& name) -> Status {
    Fd file = TRY(sys::open(path, O_RDONLY));
    give(name.name, file.get());
    out.owned.push_back(std::move(file));
    return {};
  }));
  return out;
}

}  // namespace skerry::oci
