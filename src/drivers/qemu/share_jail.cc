#include "drivers/qemu/share_jail.h"

#include <sched.h>

#include "base/text.h"
#include "drivers/qemu/jail_parts.h"
#include "wire/oci_spec_defaults.h"

namespace skerry::qemu {
namespace {

constexpr std::int64_t kMib = 1 << 20;
// The server's own code, its tables of open files and buffers of requests.
constexpr std::int64_t kServerMib = 192;
constexpr std::int64_t kMostThreads = 64;

// As a container's root over what was mounted into it. SYS_CHROOT and SETPCAP: to shut itself in.
const std::vector<std::string> kCapabilities{"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FOWNER",
                                             "CAP_FSETID",  "CAP_SETGID",       "CAP_SETUID",
                                             "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_SYS_CHROOT"};

std::vector<std::string> arguments(const ShareJailInputs& inputs) {
  return {inputs.program,
          cat("--fd=", inputs.listener_fd),
          "-f",
          "-o",
          "source=/share",
          "-o",
          "sandbox=chroot",
          "-o",
          "cache=auto",
          "-o",
          "announce_submounts",
          "-o",
          "xattr",
          "-o",
          "modcaps=-mknod",  // it would fail for want of it
          "-o",
          "log_level=err",
          "--rlimit-nofile=0"};
}

oci::Seccomp filter() {
  auto out = oci::default_seccomp(kCapabilities);
  for (auto& rule : out.syscalls) std::erase(rule.names, "unshare");
  // Every thread takes a working directory of its own; namespaces stay closed.
  out.syscalls.push_back({{"unshare"}, "SCMP_ACT_ALLOW", std::nullopt, {{0, CLONE_FS, 0, "SCMP_CMP_EQ"}}});
  return out;
}

}  // namespace

std::string share_name(std::size_t index) { return cat(index); }

oci::Spec share_jail(const ShareJailInputs& inputs) {
  oci::Spec spec;
  spec.oci_version = oci::kSpecVersion;
  spec.root = {inputs.rootfs, true};
  spec.hostname = "shares";
  spec.mounts = jail_mounts();
  for (std::size_t i = 0; i < inputs.shares.size(); ++i) {
    auto mount = inputs.shares[i];
    mount.destination = cat("/share/", share_name(i));
    spec.mounts.push_back(std::move(mount));
  }
  oci::Process process;
  process.args = arguments(inputs);
  process.env = {"PATH=/usr/bin"};
  process.capabilities = oci::capability_sets(kCapabilities);
  process.rlimits = {{"RLIMIT_NOFILE", inputs.most_files, inputs.most_files}, {"RLIMIT_CORE", 0, 0}};
  process.no_new_privileges = true;
  spec.process = std::move(process);
  spec.linux_part.namespaces = oci::default_namespaces();
  auto& resources = spec.linux_part.resources;
  resources.devices = oci::default_device_rules();
  resources.memory.emplace();
  resources.memory->limit = (std::int64_t{inputs.memory_mib} + kServerMib) * kMib;
  resources.cpu = cpu_limits(inputs.cpu_milli);
  resources.pids_limit = kMostThreads;
  spec.linux_part.masked_paths = oci::default_masked_paths();
  spec.linux_part.readonly_paths = oci::default_readonly_paths();
  spec.linux_part.seccomp = filter();
  return spec;
}

}  // namespace skerry::qemu
