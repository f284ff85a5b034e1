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

// What may be secret of it: the workload's environment. It goes over the channel, when the guest is up
// (AgentOp::kStart), and stands on no disk. PATH stays: by it the agent looks for the program beforehand.
// kInvalidArgument when it is more than the channel takes at once.
Result<std::vector<std::string>> secrets_of(const wire::BootDocument& document);
// The rest, which waits for them.
wire::BootDocument without_secrets(wire::BootDocument document);

// What of the host the guest shall see, in the order of the shares: first its root directory, when it lives in one.
std::vector<BindMount> guest_shares(const EnvironmentSpec& spec);

struct CommandLine {
  std::string text;
  // Content of the manifest disk (serial "manifest"). Empty only when the document has nothing of a user's in it and
  // fits on the command line.
  std::string manifest_disk;
};
// What the guest is told beside its document: the keys of the microVM document. Empty or 0: left out; a runtime that is
// not named is "microvm".
struct GuestKeys {
  std::string plugin;
  std::string runtime;
  std::string api_host;  // where the daemon's API is, seen from the guest's zone, when it listens there
  std::uint16_t api_port = 0;
};
GuestKeys guest_keys(const Launch& launch, std::uint16_t api_port);
// Each behind a space. kInvalidArgument when one cannot stand on a command line.
Result<std::string> words_of(const GuestKeys& keys);

// `tsc_khz`: frequency of the host's time stamp counter. `more`: what else the guest's kernel or agent is told.
Result<CommandLine> command_line(const wire::BootDocument& document, const GuestKeys& keys, std::uint64_t tsc_khz,
                                 std::string_view more = {});

}  // namespace skerry::qemu
