// From what the control plane asks (Launch) to what the guest is told: its boot document and kernel command line. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "drivers/driver.h"
#include "wire/agent_protocol.h"

namespace skerry::qemu {

// Longest kernel command line of x86 Linux, without the ending zero (arch/x86/include/asm/setup.h, COMMAND_LINE_SIZE).
inline constexpr std::size_t kMaxCommandLine = 2047;

// kUnsupported names a wish a microVM cannot fulfil (a user namespace, a seccomp profile, …): no
// wish is silently dropped.
Result<wire::BootDocument> boot_document(const Launch& launch);

// What of the host the guest shall see, in the order of the shares: first its root directory, when it lives in one.
std::vector<BindMount> guest_shares(const EnvironmentSpec& spec);

struct CommandLine {
  std::string text;
  // Content of the manifest disk (serial "manifest"). Empty only when the document has nothing of a user's in it and
  // fits on the command line.
  std::string manifest_disk;
};
// `tsc_khz`: frequency of the host's time stamp counter. `more`: what else the guest's kernel or agent is told.
Result<CommandLine> command_line(const wire::BootDocument& document, std::string_view plugin, std::uint64_t tsc_khz,
                                 std::string_view more = {});

}  // namespace skerry::qemu
