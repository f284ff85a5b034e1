#include "oci/process_attributes.h"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr unsigned kMaxCpus = 8192;
constexpr unsigned kMaxNodes = 1024;

// ioprio_set(2). Not from <linux/ioprio.h>: since Linux 6.1.188 that header is no C++ (it names a parameter "class").
constexpr int kIoClassShift = 13;
constexpr int kIoWhoProcess = 1;
enum IoClass : int { kIoRealTime = 1, kIoBestEffort = 2, kIoIdle = 3 };
constexpr int kJoinSessionKeyring = 1;  // KEYCTL_JOIN_SESSION_KEYRING

struct Word {
  std::string_view name;
  std::uint64_t value;
};
constexpr std::array kPolicies = {
    Word{"SCHED_OTHER", 0}, Word{"SCHED_FIFO", 1}, Word{"SCHED_RR", 2},       Word{"SCHED_BATCH", 3},
    Word{"SCHED_ISO", 4},   Word{"SCHED_IDLE", 5}, Word{"SCHED_DEADLINE", 6},
};
constexpr std::array kScheduleFlags = {
    Word{"SCHED_FLAG_RESET_ON_FORK", 0x01},  Word{"SCHED_FLAG_RECLAIM", 0x02},
    Word{"SCHED_FLAG_DL_OVERRUN", 0x04},     Word{"SCHED_FLAG_KEEP_POLICY", 0x08},
    Word{"SCHED_FLAG_KEEP_PARAMS", 0x10},    Word{"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
    Word{"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40},
};
constexpr std::array kMemoryModes = {
    Word{"MPOL_DEFAULT", 0},
    Word{"MPOL_PREFERRED", 1},
    Word{"MPOL_BIND", 2},
    Word{"MPOL_INTERLEAVE", 3},
    Word{"MPOL_LOCAL", 4},
    Word{"MPOL_PREFERRED_MANY", 5},
    Word{"MPOL_WEIGHTED_INTERLEAVE", 6},
};
constexpr std::array kMemoryFlags = {
    Word{"MPOL_F_STATIC_NODES", 1U << 15U},
    Word{"MPOL_F_RELATIVE_NODES", 1U << 14U},
    Word{"MPOL_F_NUMA_BALANCING", 1U << 13U},
};

template <typename Table>
const Word* find(const Table& table, std::string_view name) {
  const auto* found = std::ranges::find(table, name, &Word::name);
  return found == table.end() ? nullptr : found;
}

template <typename Table>
Result<std::uint64_t> flag_bits(const Table& table, const std::vector<std::string>& names, std::string_view place) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto* found = find(table, names[i]);
    if (found == nullptr) {
      return fail(ErrorCode::kInvalidArgument, cat(place, "/", i, ": unknown flag \"", names[i].substr(0, 64), "\""));
    }
    bits |= found->value;
  }
  return bits;
}

// struct sched_attr of sched_setattr(2); the C library of Debian 12 has neither it nor the call.
struct ScheduleAttributes {
  std::uint32_t size = sizeof(ScheduleAttributes);
  std::uint32_t policy = 0;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

}  // namespace

Result<std::vector<unsigned>> parse_number_list(std::string_view text, unsigned limit) {
  std::vector<unsigned> out;
  for (const auto part : split(trim(text), ',')) {
    const auto dash = part.find('-');
    const unsigned first = TRY(parse_int<unsigned>(part.substr(0, dash), "list"));
    const unsigned last =
        dash == std::string_view::npos ? first : TRY(parse_int<unsigned>(part.substr(dash + 1), "list"));
    if (last < first || last >= limit) {
      return fail(ErrorCode::kInvalidArgument, cat("\"", part.substr(0, 64), "\" is not a range below ", limit));
    }
    for (unsigned number = first; number <= last; ++number) out.push_back(number);
  }
  return out;
}

Status check_process_attributes(const Process& process, const Linux& linux_part) {
  if (process.scheduler) TRY(flag_bits(kScheduleFlags, process.scheduler->flags, "/process/scheduler/flags"));
  if (process.exec_cpu_affinity) {
    const auto& affinity = *process.exec_cpu_affinity;
    for (const auto* list : {&affinity.initial, &affinity.final_list}) {
      if (!list->empty()) TRY_IN("/process/execCPUAffinity", parse_number_list(*list, kMaxCpus));
    }
  }
  if (linux_part.memory_policy) {
    const auto& policy = *linux_part.memory_policy;
    TRY(flag_bits(kMemoryFlags, policy.flags, "/linux/memoryPolicy/flags"));
    if (!policy.nodes.empty()) TRY_IN("/linux/memoryPolicy/nodes", parse_number_list(policy.nodes, kMaxNodes));
  }
  if (linux_part.personality && !linux_part.personality->flags.empty()) {
    return fail(ErrorCode::kInvalidArgument, "/linux/personality/flags: no flag is defined");
  }
  return {};
}

Status set_scheduler(const Scheduler& scheduler) {
  ScheduleAttributes attributes;
  attributes.policy = static_cast<std::uint32_t>(find(kPolicies, scheduler.policy)->value);
  attributes.flags = TRY(flag_bits(kScheduleFlags, scheduler.flags, "/process/scheduler/flags"));
  attributes.nice = scheduler.nice;
  attributes.priority = static_cast<std::uint32_t>(scheduler.priority);
  attributes.runtime = scheduler.runtime;
  attributes.deadline = scheduler.deadline;
  attributes.period = scheduler.period;
  if (::syscall(SYS_sched_setattr, 0, &attributes, 0U) < 0) return fail_errno("/process/scheduler: sched_setattr");
  return {};
}

Status set_io_priority(const IoPriority& priority) {
  int io_class = kIoBestEffort;
  if (priority.io_class == "IOPRIO_CLASS_RT") io_class = kIoRealTime;
  if (priority.io_class == "IOPRIO_CLASS_IDLE") io_class = kIoIdle;
  const int value = (io_class << kIoClassShift) | priority.priority;
  if (::syscall(SYS_ioprio_set, kIoWhoProcess, 0, value) < 0) return fail_errno("/process/ioPriority: ioprio_set");
  return {};
}

Status set_cpu_affinity(const std::string& cpus, std::string_view place) {
  const auto numbers = TRY_IN(place, parse_number_list(cpus, kMaxCpus));
  std::vector<unsigned long> bits(kMaxCpus / (8 * sizeof(unsigned long)));
  for (const unsigned cpu : numbers)
    bits[cpu / (8 * sizeof(unsigned long))] |= 1UL << (cpu % (8 * sizeof(unsigned long)));
  if (::syscall(SYS_sched_setaffinity, 0, bits.size() * sizeof(unsigned long), bits.data()) < 0) {
    return fail_errno(cat(place, ": sched_setaffinity ", cpus));
  }
  return {};
}

Status set_memory_policy(const MemoryPolicy& policy) {
  const auto flags = TRY(flag_bits(kMemoryFlags, policy.flags, "/linux/memoryPolicy/flags"));
  std::array<unsigned long, kMaxNodes / (8 * sizeof(unsigned long))> nodes{};
  if (!policy.nodes.empty()) {
    for (const unsigned node : TRY_IN("/linux/memoryPolicy/nodes", parse_number_list(policy.nodes, kMaxNodes))) {
      nodes[node / (8 * sizeof(unsigned long))] |= 1UL << (node % (8 * sizeof(unsigned long)));
    }
  }
  const auto mode = find(kMemoryModes, policy.mode)->value | flags;
  const bool has_nodes = !policy.nodes.empty();
  if (::syscall(SYS_set_mempolicy, mode, has_nodes ? nodes.data() : nullptr, has_nodes ? kMaxNodes + 1 : 0) < 0) {
    return fail_errno("/linux/memoryPolicy: set_mempolicy");
  }
  return {};
}

Status set_personality(const Personality& personality) {
  const unsigned long domain = personality.domain == "LINUX32" ? PER_LINUX32 : PER_LINUX;
  if (::personality(domain) < 0) return fail_errno("/linux/personality");
  return {};
}

Status join_new_session_keyring() {
  const long done = ::syscall(SYS_keyctl, kJoinSessionKeyring, nullptr, 0, 0, 0);
  // A kernel without keyrings, or a quota used up by many containers of one user: nothing is shared by going on
  // without one only in the first case; the second is an error.
  if (done < 0 && errno != ENOSYS && errno != EPERM) return fail_errno("join a session keyring");
  return {};
}

}  // namespace skerry::oci
