#include "oci/devices.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/text.h"
#include "oci/mount_options.h"
#include "oci/safe_path.h"

namespace skerry::oci {
namespace {

struct Standard {
  const char* name;
  std::int64_t major;
  std::int64_t minor;
};
constexpr std::array kStandard = {
    Standard{"null", 1, 3},   Standard{"zero", 1, 5},    Standard{"full", 1, 7},
    Standard{"random", 1, 8}, Standard{"urandom", 1, 9}, Standard{"tty", 5, 0},
};

struct Link {
  const char* name;
  const char* target;
};
constexpr std::array kLinks = {
    Link{"fd", "/proc/self/fd"},       Link{"stdin", "/proc/self/fd/0"}, Link{"stdout", "/proc/self/fd/1"},
    Link{"stderr", "/proc/self/fd/2"}, Link{"ptmx", "pts/ptmx"},
};

mode_t type_bits(const Device& device) {
  if (device.type == "b") return S_IFBLK;
  return device.type == "p" ? S_IFIFO : S_IFCHR;
}

dev_t number_of(const Device& device) {
  if (device.type == "p") return 0;
  return ::makedev(static_cast<unsigned>(device.major), static_cast<unsigned>(device.minor));
}

// A node to be: its name below an opened directory.
struct Place {
  int parent;
  std::string name;
};
struct OwnedPlace {
  Fd parent;
  std::string name;
};
Result<OwnedPlace> open_place(int root_fd, const std::string& path) {
  const std::string clean = clean_absolute(path);
  const auto slash = clean.rfind('/');
  if (clean == "/") return fail(ErrorCode::kInvalidArgument, "path: the root is not a device");
  const std::string parent = slash == 0 ? "/" : clean.substr(0, slash);
  // Below /dev nothing is followed; elsewhere the image's layout is respected inside the root.
  const auto policy = clean.starts_with("/dev/") ? Symlinks::kRefuse : Symlinks::kInsideRoot;
  return OwnedPlace{TRY(make_in_root(root_fd, parent, MissingTarget::kDirectory, policy)), clean.substr(slash + 1)};
}

bool is_same(const struct stat& info, const Device& device) {
  return (info.st_mode & S_IFMT) == type_bits(device) && (device.type == "p" || info.st_rdev == number_of(device));
}

Status set_owner_and_mode(const Place& place, const Device& device, mode_t mode) {
  if (device.uid.value_or(0) != 0 || device.gid.value_or(0) != 0) {
    if (::fchownat(place.parent, place.name.c_str(), device.uid.value_or(0), device.gid.value_or(0),
                   AT_SYMLINK_NOFOLLOW) < 0) {
      return fail_errno("chown " + place.name);
    }
    // Changing the owner may clear mode bits.
    const Fd node = TRY(sys::openat(place.parent, place.name, O_PATH | O_NOFOLLOW));
    if (::chmod(cat("/proc/self/fd/", node.get()).c_str(), mode) < 0 && errno != ENOENT) {
      return fail_errno("chmod " + place.name);
    }
  }
  return {};
}

// The host's own node, read-only: the device can be written to as before, the node's mode and owner cannot be changed.
Status bind_node(const Place& place, const Device& device) {
  const Fd host = TRY(sys::open(device.path, O_PATH | O_NOFOLLOW));
  if (!is_same(TRY(sys::fstat(host.get())), device)) {
    return fail(ErrorCode::kInvalidArgument,
                cat(device.path, " of the host is not device ", device.type, " ", device.major, ":", device.minor));
  }
  const Fd tree = TRY(sys::clone_mount(host.get(), "", sys::Recursion::kNone));
  struct mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
  TRY(sys::mount_setattr(tree.get(), attributes, sys::Recursion::kNone));
  const auto made = sys::openat(place.parent, place.name, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDONLY, 0644);
  if (!made && made.error().sys_errno != EEXIST) return fail(made.error());
  const Fd target = TRY(sys::openat(place.parent, place.name, O_PATH | O_NOFOLLOW));
  return sys::attach_mount(tree.get(), target.get());
}

Status make_device(const Place& place, const Device& device, bool user_namespace) {
  if (user_namespace && device.type != "p") return bind_node(place, device);
  const mode_t mode = device.file_mode.value_or(0666) & 07777U;
  if (::mknodat(place.parent, place.name.c_str(), type_bits(device) | mode, number_of(device)) == 0) {
    return set_owner_and_mode(place, device, mode);
  }
  if (errno == EPERM) return bind_node(place, device);
  if (errno != EEXIST) return fail_errno(cat("mknod ", device.path));
  const auto info = TRY(sys::lstatat(place.parent, place.name));
  if (is_same(info, device)) return {};
  return fail(ErrorCode::kAlreadyExists, cat(device.path, " exists in the image and is something else"));
}

bool binds_dev(const Spec& spec) {
  return std::ranges::any_of(spec.mounts, [](const Mount& mount) {
    return clean_absolute(mount.destination) == "/dev" &&
           (mount.type == "bind" || parse_mount_options(mount.options).bind);
  });
}

// What the configuration itself lists replaces the standard node of the same path.
bool is_listed(const Spec& spec, const std::string& path) {
  return std::ranges::any_of(spec.linux_part.devices,
                             [&](const Device& device) { return clean_absolute(device.path) == path; });
}

Status make_standard_devices(const Spec& spec, int dev, bool user_namespace) {
  for (const auto& standard : kStandard) {
    const std::string path = cat("/dev/", standard.name);
    if (is_listed(spec, path)) continue;
    Device device;
    device.type = "c";
    device.path = path;
    device.major = standard.major;
    device.minor = standard.minor;
    TRY(make_device({dev, standard.name}, device, user_namespace));
  }
  return {};
}

Status make_links(int dev) {
  for (const auto& link : kLinks) {
    if (::symlinkat(link.target, dev, link.name) < 0 && errno != EEXIST) {
      return fail_errno(cat("symlink /dev/", link.name));
    }
  }
  return {};
}

}  // namespace

Status make_devices(const Spec& spec, int root_fd, bool user_namespace) {
  if (binds_dev(spec)) return {};
  const Fd dev = TRY_IN("default devices", make_in_root(root_fd, "/dev", MissingTarget::kDirectory, Symlinks::kRefuse));
  TRY_IN("default devices", make_standard_devices(spec, dev.get(), user_namespace));
  for (std::size_t i = 0; i < spec.linux_part.devices.size(); ++i) {
    const Device& device = spec.linux_part.devices[i];
    const std::string where = cat("/linux/devices/", i);
    const auto place = TRY_IN(where, open_place(root_fd, device.path));
    TRY_IN(where, make_device({place.parent.get(), place.name}, device, user_namespace));
  }
  return annotate(make_links(dev.get()), "/dev links");
}

}  // namespace skerry::oci
