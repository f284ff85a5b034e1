#include <cctype>

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

// One word of ExecStart=, as systemd.service(5), "Command lines", quotes it.
Result<std::string> exec_word(const std::string& text) {
  std::string out;
  bool quoted = text.empty();
  for (const char letter : text) {
    if (std::iscntrl(static_cast<unsigned char>(letter)) != 0) {
      return fail(ErrorCode::kInvalidArgument, "a control character cannot stand in a unit");
    }
    if (letter == '%' || letter == '$') out += letter;  // doubled: neither a specifier nor a variable
    if (letter == '"' || letter == '\\') out += '\\';
    quoted = quoted || std::string_view(" \"'\\;#").find(letter) != std::string_view::npos;
    out += letter;
  }
  return quoted ? cat('"', out, '"') : out;
}

Status add_flag(std::string& line, std::string_view flag, const std::string& value, const std::string& otherwise) {
  if (value != otherwise) line += cat(" ", flag, " ", TRY_IN(flag, exec_word(value)));
  return {};
}

}  // namespace

Result<std::string> systemd_unit(const SetupOptions& options) {
  const SetupOptions defaults;
  std::string command = TRY(exec_word(cat(options.program_dir, "/skerryd")));
  TRY(add_flag(command, "--state-dir", options.state_dir, defaults.state_dir));
  TRY(add_flag(command, "--bridge", options.bridge, defaults.bridge));
  TRY(add_flag(command, "--subnet", options.subnet, defaults.subnet));
  TRY(add_flag(command, "--listen", options.listen, defaults.listen));
  TRY(add_flag(command, "--group", options.group, defaults.group));
  return cat(
      "# Made by skerry setup; skerry setup --undo removes it.\n"
      "[Unit]\nDescription=Skerry: containers, microVMs and VMs under one policy\n"
      "Documentation=man:skerryd(8)\nAfter=network.target nftables.service\n\n"
      "[Service]\nType=notify\nExecStart=",
      command, "\nExecReload=/bin/kill -HUP $MAINPID\nRestart=on-failure\nRestartSec=1\n", kHardening,
      "\n[Install]\nWantedBy=multi-user.target\n");
}

}  // namespace skerry::cli
