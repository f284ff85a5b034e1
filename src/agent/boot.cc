#include "agent/boot.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <tuple>

#include "agent/disks.h"
#include "agent/guest_network.h"
#include "agent/kernel_arguments.h"
#include "agent/look_for.h"
#include "agent/shares.h"
#include "agent/vsock.h"
#include "base/clock.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"
#include "wire/manifest_codec.h"

namespace skerry::agent {
namespace {

constexpr const char* kPortName = "skerry.agent";
constexpr Duration kPortTimeout = std::chrono::seconds(5);

struct KernelMount {
  const char* type;
  const char* target;
  std::uint64_t flags;
  const char* options;
};

// What is mounted there already stays as it is.
Status mount_one(const KernelMount& mount) {
  TRY(sys::mkdir_all(mount.target, 0755));
  if (is_mount_point(mount.target)) return {};
  return sys::mount(mount.type, mount.target, mount.type, mount.flags, mount.options);
}

void add_warning(std::vector<std::string>& warnings, const Status& status) {
  if (!status) warnings.push_back(status.error().message());
}

void link_device(const char* target, const std::string& path) {
  if (!sys::exists(path)) std::ignore = sys::symlink(target, path);
}

// /etc/hostname and the like are the guest's own even when its root is read-only: then a file in memory is put over it.
Status provide_file(const std::string& path, const std::string& content) {
  const auto written = write_file_atomic(path, content, 0644);
  if (written || written.error().sys_errno != EROFS) return written;
  const std::string copy = cat("/dev/shm/.skerry", path.substr(path.rfind('/') + 1));
  TRY(write_file_atomic(copy, content, 0644));
  auto bound = sys::mount(copy, path, "", MS_BIND);
  std::ignore = sys::unlink(copy);
  return bound;
}

// cloud-init names a guest once, and takes any other name in /etc/hostname for the wish of its user: there it leaves it
// (cloudinit/distros, update_hostname).
std::string hostname_of(const wire::BootDocument& document) {
  if (!document.cloud_init || !sys::exists("/var/lib/cloud/data/set-hostname")) return document.hostname;
  const auto own = read_file("/etc/hostname", 4096);
  const std::string name(own ? trim(*own) : std::string_view());
  const bool is_name =
      !name.empty() && name.size() <= HOST_NAME_MAX && name.find_first_of(" \t\n#") == std::string::npos;
  return is_name ? name : document.hostname;
}

void name_guest(const wire::BootDocument& document, std::vector<std::string>& warnings) {
  if (document.hostname.empty()) return;
  const std::string hostname = hostname_of(document);
  if (::sethostname(hostname.c_str(), hostname.size()) < 0) {
    warnings.push_back(Error::last("set the host name").message());
  }
  if (document.keep_etc) return;
  add_warning(warnings, provide_file("/etc/hostname", hostname + "\n"));
  const std::string address = document.network ? document.network->address : "";
  add_warning(warnings, provide_file("/etc/hosts", hosts_file(hostname, address)));
}

Status mount_asked(const wire::GuestMount& mount) {
  if (mount.type == "share") {
    return bind_share(mount.source, mount.target, mount.read_only, MS_NOSUID | MS_NODEV);
  }
  TRY(sys::mkdir_all(mount.target, 0755));
  const std::uint64_t flags = MS_NOSUID | MS_NODEV | (mount.read_only ? MS_RDONLY : 0);
  if (mount.type == "tmpfs") {
    return sys::mount("tmpfs", mount.target, "tmpfs", flags, cat("mode=1777,size=", mount.size_mib, "m"));
  }
  const std::string device = TRY(find_disk(mount.source));
  return sys::mount(device, mount.target, mount.type, flags);
}

Status make_read_only() { return sys::mount("", "/", "", MS_REMOUNT | MS_BIND | MS_RDONLY); }

Status set_kernel(const std::map<std::string, std::string>& settings) {
  for (const auto& [name, value] : settings) {
    // The separators of sysctl(8): with a dot in an interface's name they change roles.
    std::string path = name;
    if (path.find('/') == std::string::npos) std::ranges::replace(path, '.', '/');
    if (path.find("..") != std::string::npos) return fail(ErrorCode::kInvalidArgument, cat("sysctl ", name));
    TRY_IN(cat("sysctl ", name), write_existing(cat("/proc/sys/", path), value));
  }
  return {};
}

std::string agent_port() {
  const std::unique_ptr<DIR, int (*)(DIR*)> ports(::opendir("/sys/class/virtio-ports"), ::closedir);
  if (!ports) return {};
  while (const dirent* entry = ::readdir(ports.get())) {
    const auto name = read_file(cat("/sys/class/virtio-ports/", entry->d_name, "/name"), 4096);
    if (name && trim(*name) == kPortName) return cat("/dev/", entry->d_name);
  }
  return {};
}

}  // namespace

bool is_mount_point(const std::string& path) {
  const auto inside = sys::lstat(path);
  const auto outside = sys::lstat(path + "/..");
  return inside && outside && inside->st_dev != outside->st_dev;
}

Status mount_kernel_filesystems() {
  constexpr std::uint64_t kStrict = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  TRY(mount_one({"proc", "/proc", kStrict, ""}));
  TRY(mount_one({"sysfs", "/sys", kStrict, ""}));
  TRY(mount_one({"devtmpfs", "/dev", MS_NOSUID, "mode=0755"}));
  return {};
}

Result<wire::BootDocument> read_boot_document() {
  const std::string command_line = TRY(read_file("/proc/cmdline", 65536));
  const auto arguments = parse_kernel_arguments(command_line);
  std::string packed = arguments.manifest;
  if (!arguments.manifest_disk.empty()) {
    const std::string device = TRY(find_disk(arguments.manifest_disk));
    packed = TRY(read_manifest_disk(device));
  }
  if (packed.empty()) {
    wire::BootDocument document;
    document.hostname = "skerry";
    return document;
  }
  const std::string json = TRY(wire::decode_manifest(packed));
  return wire::decode_boot_document(json);
}

std::vector<std::string> prepare_shared() {
  std::vector<std::string> warnings;
  constexpr std::uint64_t kStrict = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  const std::array<KernelMount, 4> mounts{
      {{"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666"},
       {"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777"},
       {"mqueue", "/dev/mqueue", kStrict, ""},
       {"cgroup2", "/sys/fs/cgroup", kStrict, "nsdelegate"}}};
  for (const auto& mount : mounts) add_warning(warnings, mount_one(mount));
  link_device("/proc/self/fd", "/dev/fd");
  link_device("/proc/self/fd/0", "/dev/stdin");
  link_device("/proc/self/fd/1", "/dev/stdout");
  link_device("/proc/self/fd/2", "/dev/stderr");
  add_warning(warnings, bring_up_loopback());
  return warnings;
}

Result<std::vector<std::string>> prepare_guest(const wire::BootDocument& document) {
  std::vector<std::string> warnings;
  name_guest(document, warnings);
  // /run is on the disk here, as it is in containers, and stays: "done" of the boot before would count for this one.
  if (document.cloud_init) add_warning(warnings, sys::remove_tree("/run/cloud-init"));
  if (document.network) {
    TRY_IN("network", configure_network(*document.network));
    if (!document.network->dns.empty() && !document.keep_etc) {
      add_warning(warnings, provide_file("/etc/resolv.conf", resolv_conf(*document.network)));
    }
  }
  TRY(set_kernel(document.sysctl));
  for (const auto& mount : document.mounts) TRY_IN(cat("mount ", mount.target), mount_asked(mount));
  if (has_shares(document)) unmount_shares();
  if (document.root.read_only) TRY_IN("make the root read-only", make_read_only());
  return warnings;
}

Result<Fd> open_agent_port() {
  const auto arguments = parse_kernel_arguments(TRY(read_file("/proc/cmdline", 65536)));
  if (!arguments.channel.empty()) {
    return connect_to_host(TRY(parse_vsock_channel(arguments.channel)), kPortTimeout);
  }
  return look_for(kPortTimeout, []() -> Result<Fd> {
    const auto path = agent_port();
    if (path.empty()) return fail(ErrorCode::kNotFound, cat("virtio port ", kPortName));
    // Until the host has connected its end the open fails with ENXIO or EBUSY (drivers/char/virtio_console.c).
    return sys::open(path, O_RDWR | O_NONBLOCK);
  });
}

}  // namespace skerry::agent
