#include "oci/seccomp_evaluation.h"

#include <linux/audit.h>
#include <linux/seccomp.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace skerry::oci {
namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "name this architecture (linux/audit.h)"
#endif

bool jumps(std::uint16_t operation, std::uint32_t accumulator, std::uint32_t operand) {
  switch (operation) {
    case BPF_JEQ: return accumulator == operand;
    case BPF_JGT: return accumulator > operand;
    case BPF_JGE: return accumulator >= operand;
    default: return (accumulator & operand) != 0;  // BPF_JSET
  }
}

// The classic BPF machine (bpf(4) of the BSDs, Documentation/networking/filter.rst), as far as libseccomp uses it:
// every jump goes forward, so this ends.
std::optional<std::uint32_t> evaluate(std::span<const sock_filter> program, const struct seccomp_data& data) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        if (step.k > sizeof data - sizeof accumulator) return std::nullopt;
        std::memcpy(&accumulator, reinterpret_cast<const char*>(&data) + step.k, sizeof accumulator);
        break;
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= step.k; break;
      case BPF_JMP | BPF_JA: at += step.k; break;
      case BPF_JMP | BPF_JEQ | BPF_K:
      case BPF_JMP | BPF_JGT | BPF_K:
      case BPF_JMP | BPF_JGE | BPF_K:
      case BPF_JMP | BPF_JSET | BPF_K: at += jumps(BPF_OP(step.code), accumulator, step.k) ? step.jt : step.jf; break;
      case BPF_RET | BPF_K: return step.k;
      default: return std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace

bool seccomp_allows(std::span<const sock_filter> program, const SystemCall& call) {
  struct seccomp_data data{};
  data.nr = static_cast<int>(call.number);
  data.arch = call.architecture == 0 ? kArchitecture : call.architecture;
  std::ranges::copy(call.arguments, data.args);
  const auto answer = evaluate(program, data);
  if (!answer) return false;
  const std::uint32_t action = *answer & SECCOMP_RET_ACTION_FULL;
  return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

}  // namespace skerry::oci
