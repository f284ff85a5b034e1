// skerry doctor: what of Skerry itself, and of what it needs beside the kernel, is installed.
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/accounts.h"
#include "base/fd.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "cli/table.h"

namespace skerry::cli {

Finding examine_space(const std::string& directory, std::uint64_t free_bytes) {
  constexpr std::uint64_t kLittleSpace = 2ULL << 30U;
  const bool enough = free_bytes >= kLittleSpace;
  return {"disk space", enough ? Verdict::kGood : Verdict::kWeak, cat(human_bytes(free_bytes), " free in ", directory),
          enough ? "" : "make room for images and disks, or choose another --state-dir"};
}

namespace {

Finding examine_programs() {
  const auto self = sys::readlink("/proc/self/exe");
  const std::string here = self ? self->substr(0, self->rfind('/')) : "";
  std::vector<std::string> missing;
  for (const auto* program : {"skerryd", "skerry-oci", "skerry-keeper", "skerry-agent"}) {
    if (::access(cat(here, "/", program).c_str(), X_OK) != 0) missing.emplace_back(program);
  }
  if (missing.empty()) return {"programs", Verdict::kGood, cat("all in ", here), {}};
  return {"programs", Verdict::kWeak, cat("not beside this one in ", here, ": ", join(missing, ", ")),
          "install them together, or tell skerryd their place with --program-dir"};
}

Finding examine_group() {
  if (resolve_account("0:skerry", "", read_file("/etc/group").value_or(""))) {
    return {"group skerry", Verdict::kGood, "its members may use the daemon", {}};
  }
  return {"group skerry", Verdict::kWeak, "there is none: only root may use the daemon", "skerry setup"};
}

Finding examine_service() {
  if (!sys::exists("/run/systemd/system")) return {"service", Verdict::kGood, "this host does not run systemd", {}};
  if (sys::exists("/etc/systemd/system/skerryd.service") || sys::exists("/lib/systemd/system/skerryd.service")) {
    return {"service", Verdict::kGood, "skerryd.service is installed", {}};
  }
  return {"service", Verdict::kWeak, "skerryd does not start by itself", "skerry setup"};
}

// Of the daemon's directory as far as it is known here; examine_daemon() knows better.
Finding examine_local_space() {
  const char* set = ::getenv("SKERRY_STATE_DIR");
  std::string dir = set != nullptr && *set == '/' ? set : "/var/lib/skerry";
  // It need not be there yet: what will hold it is.
  while (dir.size() > 1 && !sys::exists(dir)) dir.erase(std::max<std::size_t>(dir.rfind('/'), 1));
  struct statvfs space{};
  if (::statvfs(dir.c_str(), &space) != 0) return {"disk space", Verdict::kWeak, cat("cannot look at ", dir), {}};
  return examine_space(dir, static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize);
}

Finding examine_firewall() {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (socket) return {"firewall", Verdict::kGood, "the kernel has nftables", {}};
  return {"firewall", Verdict::kBroken, "the kernel has no nftables", "modprobe nf_tables"};
}

Finding examine_forwarding() {
  if (trim(read_file("/proc/sys/net/ipv4/ip_forward").value_or("")) == "1") {
    return {"IP forwarding", Verdict::kGood, "on", {}};
  }
  return {"IP forwarding", Verdict::kGood, "off: skerryd turns it on", {}};
}

Finding examine_guest_kernel() {
  const auto names = sys::list_directory("/boot");
  for (const auto& name : names.value_or(std::vector<std::string>{})) {
    if (name.starts_with("vmlinuz-") && name.find("cloud") != std::string::npos) {
      return {"guest kernel", Verdict::kGood, cat("/boot/", name), {}};
    }
  }
  return {"guest kernel", Verdict::kWeak, "no cloud kernel in /boot: microVMs need one given with --kernel",
          "install linux-image-cloud-amd64"};
}

Finding examine_user_namespaces() {
  const auto most = read_file("/proc/sys/user/max_user_namespaces");
  if (most && parse_int<std::uint64_t>(trim(*most), "namespaces").value_or(0) > 0) {
    return {"user namespaces", Verdict::kGood, "allowed", {}};
  }
  return {"user namespaces", Verdict::kWeak, "not allowed: --userns will not work",
          "raise user.max_user_namespaces with sysctl"};
}

Finding examine_seccomp() {
  if (sys::exists("/proc/sys/kernel/seccomp/actions_avail")) return {"seccomp", Verdict::kGood, "filters work", {}};
  return {"seccomp", Verdict::kBroken, "the kernel has no seccomp filters", "use a kernel with CONFIG_SECCOMP_FILTER"};
}

}  // namespace

void examine_installation(std::vector<Finding>& findings) {
  findings.push_back(examine_seccomp());
  findings.push_back(examine_user_namespaces());
  findings.push_back(examine_firewall());
  findings.push_back(examine_forwarding());
  findings.push_back(examine_guest_kernel());
  findings.push_back(examine_local_space());
  findings.push_back(examine_programs());
  findings.push_back(examine_group());
  findings.push_back(examine_service());
}

}  // namespace skerry::cli
