#include "oci/seccomp_filter.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/sys_file.h"
#include "base/text.h"
#include "oci/seccomp_cache.h"

namespace skerry::oci {
namespace {

using Context = std::unique_ptr<void, void (*)(scmp_filter_ctx)>;

struct FlagName {
  std::string_view name;
  unsigned flag;
};
constexpr std::array kFlags = {
    FlagName{"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    FlagName{"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    FlagName{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    FlagName{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 1U << 5U},
};

Result<std::uint32_t> action_code(std::string_view action, std::optional<std::uint32_t> errno_ret) {
  const std::uint32_t number = errno_ret.value_or(EPERM) & 0xFFFFU;
  if (action == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (action == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(number);
  if (action == "SCMP_ACT_KILL" || action == "SCMP_ACT_KILL_THREAD") return SCMP_ACT_KILL_THREAD;
  if (action == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  if (action == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
  if (action == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(number);
  if (action == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  if (action == "SCMP_ACT_NOTIFY") return SCMP_ACT_NOTIFY;
  return fail(ErrorCode::kInvalidArgument, cat("unknown action ", action));
}

scmp_compare comparison(std::string_view op) {
  if (op == "SCMP_CMP_NE") return SCMP_CMP_NE;
  if (op == "SCMP_CMP_LT") return SCMP_CMP_LT;
  if (op == "SCMP_CMP_LE") return SCMP_CMP_LE;
  if (op == "SCMP_CMP_GE") return SCMP_CMP_GE;
  if (op == "SCMP_CMP_GT") return SCMP_CMP_GT;
  if (op == "SCMP_CMP_MASKED_EQ") return SCMP_CMP_MASKED_EQ;
  return SCMP_CMP_EQ;
}

std::unexpected<Error> seccomp_error(int code, std::string step) {
  return fail(Error::from_errno(-code, std::move(step)));
}

// A name no kernel has is skipped later; what cannot be a name at all is a mistake, or worse.
Status check_names(const Seccomp& seccomp) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
    const auto& names = seccomp.syscalls[i].names;
    for (std::size_t k = 0; k < names.size(); ++k) {
      if (!names[k].empty() && std::ranges::all_of(names[k], is_letter)) continue;
      return fail(ErrorCode::kInvalidArgument,
                  cat("/linux/seccomp/syscalls/", i, "/names/", k, ": a name has letters a-z, digits and \"_\" only"));
    }
  }
  return {};
}

// "SCMP_ARCH_X86_64" → libseccomp's "x86_64".
Status add_architectures(scmp_filter_ctx context, const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string name = names[i].starts_with("SCMP_ARCH_") ? names[i].substr(10) : names[i];
    std::ranges::transform(name, name.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::uint32_t token = ::seccomp_arch_resolve_name(name.c_str());
    const std::string place = cat("/linux/seccomp/architectures/", i);
    if (token == 0) return fail(ErrorCode::kInvalidArgument, cat(place, ": unknown architecture ", names[i]));
    const int added = ::seccomp_arch_add(context, token);
    // -EDOM: an architecture of the other byte order, which cannot run here anyway.
    if (added < 0 && added != -EEXIST && added != -EDOM) return seccomp_error(added, place);
  }
  return {};
}

// config-linux.md: several conditions on one argument stand for alternatives ("or"), on different arguments for "and".
bool repeats_argument(const std::vector<SeccompArg>& args) {
  std::array<int, 6> seen{};
  return std::ranges::any_of(args, [&](const SeccompArg& arg) { return ++seen[arg.index] > 1; });
}

scmp_arg_cmp compile_argument(const SeccompArg& arg) {
  const auto op = comparison(arg.op);
  // For the masked comparison libseccomp wants (mask, value), which is the order of value and valueTwo.
  return {arg.index, op, arg.value, arg.value_two};
}

int add_conditions(scmp_filter_ctx context, std::uint32_t action, int syscall_number,
                   const std::vector<SeccompArg>& args) {
  if (args.empty()) return ::seccomp_rule_add_array(context, action, syscall_number, 0, nullptr);
  std::vector<scmp_arg_cmp> conditions;
  std::ranges::transform(args, std::back_inserter(conditions), compile_argument);
  if (!repeats_argument(args)) {
    return ::seccomp_rule_add_array(context, action, syscall_number, static_cast<unsigned>(conditions.size()),
                                    conditions.data());
  }
  for (const auto& condition : conditions) {
    const int added = ::seccomp_rule_add_array(context, action, syscall_number, 1, &condition);
    if (added < 0 && added != -EEXIST) return added;
  }
  return 0;
}

Status add_rule(scmp_filter_ctx context, const SeccompRule& rule, std::uint32_t default_action,
                const std::string& place) {
  const std::uint32_t action = TRY_IN(place, action_code(rule.action, rule.errno_ret));
  // libseccomp refuses a rule that says what the default says.
  if (action == default_action) return {};
  for (const auto& name : rule.names) {
    const int number = ::seccomp_syscall_resolve_name(name.c_str());
    // Profiles list the calls of all architectures and kernels: an unknown one is skipped (config-linux.md).
    if (number == __NR_SCMP_ERROR) continue;
    const int added = add_conditions(context, action, number, rule.args);
    if (added < 0 && added != -EEXIST) return seccomp_error(added, cat(place, ": ", name));
  }
  return {};
}

Result<std::vector<sock_filter>> export_program(scmp_filter_ctx context) {
  const Fd file = TRY(sys::memfd("seccomp"));
  const int exported = ::seccomp_export_bpf(context, file.get());
  if (exported < 0) return seccomp_error(exported, "export the seccomp filter");
  const auto info = TRY(sys::fstat(file.get()));
  std::vector<sock_filter> program(static_cast<std::size_t>(info.st_size) / sizeof(sock_filter));
  const auto size = static_cast<ssize_t>(program.size() * sizeof(sock_filter));
  if (::pread(file.get(), program.data(), static_cast<std::size_t>(size), 0) != size) {
    return fail_errno("read the seccomp filter");
  }
  return program;
}

Result<std::vector<sock_filter>> compile(const Seccomp& seccomp) {
  const std::uint32_t default_action =
      TRY_IN("/linux/seccomp/defaultAction", action_code(seccomp.default_action, seccomp.default_errno_ret));
  const Context context(::seccomp_init(default_action), ::seccomp_release);
  if (!context) return fail(ErrorCode::kInvalidArgument, "/linux/seccomp/defaultAction: refused by libseccomp");
  // A tree instead of a chain: a system call is judged in a dozen instructions, not in hundreds.
  (void)::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  // no_new_privs is the process's business, not the filter's.
  (void)::seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_NNP, 0);
  TRY(add_architectures(context.get(), seccomp.architectures));
  for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
    TRY(add_rule(context.get(), seccomp.syscalls[i], default_action, cat("/linux/seccomp/syscalls/", i)));
  }
  return export_program(context.get());
}

Result<unsigned> filter_flags(const std::vector<std::string>& names) {
  unsigned flags = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto* found = std::ranges::find(kFlags, names[i], &FlagName::name);
    if (found == kFlags.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  cat("/linux/seccomp/flags/", i, ": unknown flag ", names[i].substr(0, 64)));
    }
    // One thread installs the filter: TSYNC has nobody to synchronise with, and clashes with a listener.
    if (found->flag != SECCOMP_FILTER_FLAG_TSYNC) flags |= found->flag;
  }
  return flags;
}

// The listener is sent away by a process that is under the filter already: were sending to wait for the agent's answer,
// both would wait for ever. A default of NOTIFY would catch it, and the steps before the program, as well.
Status check_notifying(const Seccomp& seccomp) {
  if (seccomp.default_action == "SCMP_ACT_NOTIFY") {
    return fail(ErrorCode::kInvalidArgument, "/linux/seccomp/defaultAction: SCMP_ACT_NOTIFY cannot be the default");
  }
  for (std::size_t i = 0; i < seccomp.syscalls.size(); ++i) {
    const auto& rule = seccomp.syscalls[i];
    if (rule.action != "SCMP_ACT_NOTIFY" || std::ranges::find(rule.names, "sendmsg") == rule.names.end()) continue;
    return fail(ErrorCode::kInvalidArgument,
                cat("/linux/seccomp/syscalls/", i, ": sendmsg cannot be SCMP_ACT_NOTIFY: it carries the listener"));
  }
  return {};
}

}  // namespace

Result<SeccompFilter> seccomp_filter(const Seccomp& seccomp, const std::string& cache_directory) {
  SeccompFilter out;
  TRY(check_names(seccomp));
  out.flags = TRY(filter_flags(seccomp.flags));
  out.notifies =
      std::ranges::any_of(seccomp.syscalls, [](const auto& rule) { return rule.action == "SCMP_ACT_NOTIFY"; });
  if (out.notifies && seccomp.listener_path.empty()) {
    return fail(ErrorCode::kInvalidArgument, "/linux/seccomp/listenerPath: is required for SCMP_ACT_NOTIFY");
  }
  if (out.notifies) {
    TRY(check_notifying(seccomp));
    out.flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
  }
  const SeccompCache cache(cache_directory, seccomp);
  if (auto known = cache.load()) {
    out.program = std::move(*known);
    return out;
  }
  out.program = TRY(compile(seccomp));
  cache.store(out.program);
  return out;
}

}  // namespace skerry::oci
