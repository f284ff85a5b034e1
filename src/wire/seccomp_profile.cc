#include "wire/seccomp_profile.h"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "wire/oci_spec_read.h"

namespace skerry::oci {
namespace {

using reader::JsonReader;

struct Condition {
  std::vector<std::string> capabilities;
  std::vector<std::string> architectures;
  std::string min_kernel;  // "4.8"
};

struct Rule {
  SeccompRule rule;
  Condition includes;
  Condition excludes;
};

void read_condition(const JsonReader& rule, const char* name, Condition& out) {
  const auto condition = rule.member(name);
  if (!condition) return;
  condition->get("caps", out.capabilities);
  condition->get("arches", out.architectures);
  condition->get("minKernel", out.min_kernel);
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::ranges::find(list, word) != list.end();
}

bool is_at_least(const SeccompTarget& target, std::string_view kernel) {
  const auto parts = split(kernel, '.');
  const auto major = parse_int<unsigned>(parts[0], "kernel").value_or(0);
  const auto minor = parts.size() > 1 ? parse_int<unsigned>(parts[1], "kernel").value_or(0) : 0;
  return std::pair(target.kernel_major, target.kernel_minor) >= std::pair(major, minor);
}

// A rule with conditions counts when all that it includes hold and none that it excludes does.
bool applies(const Rule& rule, const SeccompTarget& target) {
  const auto& in = rule.includes;
  const auto& out = rule.excludes;
  const auto held = [&](const std::string& name) { return contains(target.capabilities, name); };
  if (!std::ranges::all_of(in.capabilities, held)) return false;
  if (!in.architectures.empty() && !contains(in.architectures, target.architecture)) return false;
  if (!in.min_kernel.empty() && !is_at_least(target, in.min_kernel)) return false;
  if (std::ranges::any_of(out.capabilities, held)) return false;
  if (contains(out.architectures, target.architecture)) return false;
  return out.min_kernel.empty() || !is_at_least(target, out.min_kernel);
}

// archMap: the entry of this machine with its sub-architectures; entries of other machines mean nothing here.
void read_architectures(const JsonReader& profile, const SeccompTarget& target, std::vector<std::string>& out) {
  static constexpr std::array kNames{std::pair<std::string_view, std::string_view>{"amd64", "SCMP_ARCH_X86_64"},
                                     std::pair<std::string_view, std::string_view>{"arm64", "SCMP_ARCH_AARCH64"}};
  const auto map = profile.member("archMap");
  if (!map) return;
  map->each([&](const JsonReader& entry) {
    std::string name;
    std::vector<std::string> more;
    entry.require("architecture", name);
    entry.get("subArchitectures", more);
    const bool mine = std::ranges::any_of(
        kNames, [&](const auto& known) { return known.first == target.architecture && known.second == name; });
    if (!mine) return;
    out.push_back(name);
    out.insert(out.end(), more.begin(), more.end());
  });
}

void read_rules(const JsonReader& profile, const SeccompTarget& target, std::vector<SeccompRule>& out) {
  const auto rules = profile.member("syscalls");
  if (!rules) return;
  rules->each([&](const JsonReader& entry) {
    Rule rule;
    read_value(entry, rule.rule);
    read_condition(entry, "includes", rule.includes);
    read_condition(entry, "excludes", rule.excludes);
    if (applies(rule, target)) out.push_back(std::move(rule.rule));
  });
}

}  // namespace

SeccompTarget this_seccomp_target(std::vector<std::string> capabilities) {
  SeccompTarget target;
  target.capabilities = std::move(capabilities);
#if defined(__x86_64__)
  target.architecture = "amd64";
#elif defined(__aarch64__)
  target.architecture = "arm64";
#endif
  utsname name{};
  if (::uname(&name) == 0) {
    const auto parts = split(name.release, '.');
    target.kernel_major = parse_int<unsigned>(parts[0], "kernel").value_or(0);
    if (parts.size() > 1) target.kernel_minor = parse_int<unsigned>(parts[1], "kernel").value_or(0);
  }
  return target;
}

Result<Seccomp> parse_seccomp_profile(std::string_view json, const SeccompTarget& target) {
  return reader::parse_document<Seccomp>(json, [&](const JsonReader& profile, Seccomp& out) {
    read_value(profile, out);
    out.syscalls.clear();
    read_rules(profile, target, out.syscalls);
    read_architectures(profile, target, out.architectures);
  });
}

}  // namespace skerry::oci
