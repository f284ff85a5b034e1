#include "oci/own_proc.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/sys_file.h"
#include "base/sys_mount.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr std::array<std::string_view, 9> kIpcNames = {"kernel.msgmax", "kernel.msgmnb",          "kernel.msgmni",
                                                       "kernel.sem",    "kernel.shmall",          "kernel.shmmax",
                                                       "kernel.shmmni", "kernel.shm_rmid_forced", "kernel.msg_next_id"};

// "net.ipv4.conf.eth0/1.forwarding": dots separate, a slash inside a name stands for a dot (sysctl.d(5)). A name
// written with slashes as separators is taken as it is.
std::string sysctl_path(const std::string& name) {
  const auto first = name.find_first_of("./");
  std::string path = name;
  if (first != std::string::npos && name[first] == '.') {
    for (char& c : path) c = c == '.' ? '/' : (c == '/' ? '.' : c);
  }
  return "sys/" + path;
}

std::string dotted(const std::string& name) {
  std::string path = sysctl_path(name).substr(4);
  std::ranges::replace(path, '/', '.');
  return path;
}

// The namespace a setting belongs to, 0 when it is the host's.
int namespace_of(const std::string& name) {
  if (name.starts_with("net.")) return CLONE_NEWNET;
  if (name.starts_with("fs.mqueue.") || std::ranges::find(kIpcNames, name) != kIpcNames.end()) return CLONE_NEWIPC;
  if (name == "kernel.domainname" || name == "kernel.hostname") return CLONE_NEWUTS;
  if (name.starts_with("user.")) return CLONE_NEWUSER;
  return 0;
}

}  // namespace

Result<Fd> mount_own_proc() {
  const Fd context = TRY(sys::fsopen("proc"));
  TRY(sys::fsconfig_create(context.get()));
  return annotate(sys::fsmount(context.get(), MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC), "mount proc");
}

Status write_proc(int proc_fd, const std::string& path, std::string_view value) {
  // thread-self is procfs's own link and not one a container can change; it is resolved first, by itself.
  const Fd file = TRY(sys::openat2(proc_fd, path, O_WRONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS));
  const auto put = ::write(file.get(), value.data(), value.size());
  if (put < 0) return fail_errno(cat("write \"", value.substr(0, 64), "\" to ", path));
  return {};
}

Status check_sysctls(const std::map<std::string, std::string>& sysctls, const NamespacePlan& namespaces) {
  for (const auto& [key, value] : sysctls) {
    const std::string name = dotted(key);
    const int type = namespace_of(name);
    const std::string place = cat("/linux/sysctl/", key);
    if (type == 0 || name.find("..") != std::string::npos) {
      return fail(ErrorCode::kInvalidArgument, cat(place, ": is a setting of the whole host"));
    }
    if (!namespaces.has(type)) {
      return fail(ErrorCode::kInvalidArgument, cat(place, ": the container does not have that namespace of its own"));
    }
  }
  return {};
}

Status set_sysctls(int proc_fd, const std::map<std::string, std::string>& sysctls) {
  for (const auto& [key, value] : sysctls) {
    TRY_IN(cat("/linux/sysctl/", key), write_proc(proc_fd, sysctl_path(key), value));
  }
  return {};
}

Status set_apparmor_on_exec(int proc_fd, const std::string& profile) {
  const std::string text = "exec " + profile;
  auto done = write_proc(proc_fd, "thread-self/attr/apparmor/exec", text);
  if (!done && done.error().sys_errno == ENOENT) {
    return fail(ErrorCode::kUnsupported, "/process/apparmorProfile: AppArmor is not enabled on this host");
  }
  return annotate(std::move(done), "/process/apparmorProfile");
}

Status set_selinux_on_exec(int proc_fd, const std::string& label) {
  auto done = write_proc(proc_fd, "thread-self/attr/exec", label);
  if (!done && (done.error().sys_errno == ENOENT || done.error().sys_errno == EINVAL)) {
    return fail(ErrorCode::kUnsupported, "/process/selinuxLabel: SELinux is not enabled on this host");
  }
  return annotate(std::move(done), "/process/selinuxLabel");
}

}  // namespace skerry::oci
