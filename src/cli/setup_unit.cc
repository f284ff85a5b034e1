#include "base/text.h"
#include "cli/setup.h"

namespace skerry::cli {
namespace {

// What is not here is left out on purpose: everything that gives the service a mount namespace of its own
// (ProtectSystem=, PrivateTmp=, …) would hide the mounts of running environments from a restarted skerryd, and what
// systemd does by seccomp or no_new_privs (RestrictNamespaces=, SystemCallFilter=, …) is inherited by every container,
// whose own, stricter filter skerry-oci sets.
constexpr std::string_view kHardening = R"(
# Environments outlive skerryd: only its own process is ended, and their control groups stay ours.
KillMode=process
Delegate=yes
TasksMax=infinity
OOMScoreAdjust=-500
LimitNOFILE=1048576
RuntimeDirectory=skerry
RuntimeDirectoryPreserve=yes

# What neither skerryd nor anything it starts may do.
CapabilityBoundingSet=~CAP_SYS_BOOT CAP_SYS_MODULE CAP_SYS_TIME CAP_SYS_RAWIO CAP_SYSLOG CAP_WAKE_ALARM CAP_SYS_PACCT CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_BLOCK_SUSPEND CAP_LINUX_IMMUTABLE
AmbientCapabilities=
KeyringMode=private
)";

void add_flag(std::string& line, std::string_view flag, const std::string& value, const std::string& otherwise) {
  if (value != otherwise) line += cat(" ", flag, " ", value);
}

}  // namespace

std::string systemd_unit(const SetupOptions& options) {
  const SetupOptions defaults;
  std::string command = cat(options.program_dir, "/skerryd");
  add_flag(command, "--state-dir", options.state_dir, defaults.state_dir);
  add_flag(command, "--bridge", options.bridge, defaults.bridge);
  add_flag(command, "--subnet", options.subnet, defaults.subnet);
  add_flag(command, "--listen", options.listen, defaults.listen);
  add_flag(command, "--group", options.group, defaults.group);
  return cat(
      "# Made by skerry setup; skerry setup --undo removes it.\n"
      "[Unit]\nDescription=Skerry: containers, microVMs and VMs under one policy\n"
      "Documentation=man:skerryd(8)\nAfter=network.target nftables.service\n\n"
      "[Service]\nType=notify\nExecStart=",
      command, "\nRestart=on-failure\nRestartSec=1\n", kHardening, "\n[Install]\nWantedBy=multi-user.target\n");
}

}  // namespace skerry::cli
