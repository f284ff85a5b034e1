// What a seccomp filter would say about a system call, found out without loading it.
#pragma once

#include <linux/filter.h>

#include <array>
#include <cstdint>
#include <span>

namespace skerry::oci {

struct SystemCall {
  long number = 0;
  std::array<std::uint64_t, 6> arguments{};
  std::uint32_t architecture = 0;  // AUDIT_ARCH_* (linux/audit.h); 0: the one this program is built for
};

// Whether the filter lets the call through (SECCOMP_RET_ALLOW or SECCOMP_RET_LOG). False also for a program that uses
// instructions which no filter of libseccomp has.
bool seccomp_allows(std::span<const sock_filter> program, const SystemCall& call);

}  // namespace skerry::oci
