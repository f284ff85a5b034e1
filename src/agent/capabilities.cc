#include <linux/capability.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "agent/launch.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

// By number, linux/capability.h.
constexpr std::array<std::string_view, CAP_LAST_CAP + 1> kNames{"CHOWN",
                                                                "DAC_OVERRIDE",
                                                                "DAC_READ_SEARCH",
                                                                "FOWNER",
                                                                "FSETID",
                                                                "KILL",
                                                                "SETGID",
                                                                "SETUID",
                                                                "SETPCAP",
                                                                "LINUX_IMMUTABLE",
                                                                "NET_BIND_SERVICE",
                                                                "NET_BROADCAST",
                                                                "NET_ADMIN",
                                                                "NET_RAW",
                                                                "IPC_LOCK",
                                                                "IPC_OWNER",
                                                                "SYS_MODULE",
                                                                "SYS_RAWIO",
                                                                "SYS_CHROOT",
                                                                "SYS_PTRACE",
                                                                "SYS_PACCT",
                                                                "SYS_ADMIN",
                                                                "SYS_BOOT",
                                                                "SYS_NICE",
                                                                "SYS_RESOURCE",
                                                                "SYS_TIME",
                                                                "SYS_TTY_CONFIG",
                                                                "MKNOD",
                                                                "LEASE",
                                                                "AUDIT_WRITE",
                                                                "AUDIT_CONTROL",
                                                                "SETFCAP",
                                                                "MAC_OVERRIDE",
                                                                "MAC_ADMIN",
                                                                "SYSLOG",
                                                                "WAKE_ALARM",
                                                                "BLOCK_SUSPEND",
                                                                "AUDIT_READ",
                                                                "PERFMON",
                                                                "BPF",
                                                                "CHECKPOINT_RESTORE"};
constexpr std::uint64_t kAll = ~std::uint64_t{0};

Result<std::uint64_t> bits_of(const std::vector<std::string>& names) {
  std::uint64_t bits = 0;
  for (const std::string_view name : names) {
    if (name == "ALL") {
      bits = kAll;
      continue;
    }
    const auto bare = name.starts_with("CAP_") ? name.substr(4) : name;
    const auto* const found = std::ranges::find(kNames, bare);
    if (found == kNames.end()) return fail(ErrorCode::kInvalidArgument, cat("unknown capability \"", name, "\""));
    bits |= std::uint64_t{1} << static_cast<unsigned>(found - kNames.begin());
  }
  return bits;
}

}  // namespace

Result<std::uint64_t> dropped_capabilities(const std::vector<std::string>& drop, const std::vector<std::string>& keep) {
  const std::uint64_t dropped = TRY(bits_of(drop));
  const std::uint64_t kept = TRY(bits_of(keep));
  return dropped & ~kept;
}

}  // namespace skerry::agent
