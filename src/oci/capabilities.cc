#include "oci/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/capability_names.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

CapabilityMask read_set(const std::vector<std::string>& names, std::string_view set, CapabilityMask available,
                        std::vector<std::string>& warnings) {
  CapabilityMask out = 0;
  for (const auto& name : names) {
    const int number = capability_number(name);
    if (number < 0) {
      warnings.push_back(cat("/process/capabilities/", set, ": unknown capability \"", name.substr(0, 64), "\""));
    } else if ((available & capability_bit(static_cast<unsigned>(number))) == 0) {
      warnings.push_back(cat("/process/capabilities/", set, ": ", name, " cannot be granted here"));
    } else {
      out |= capability_bit(static_cast<unsigned>(number));
    }
  }
  return out;
}

}  // namespace

int capability_number(std::string_view name) { return skerry::capability_number(name); }

std::vector<std::string> known_capabilities() { return {kCapabilityNames.begin(), kCapabilityNames.end()}; }

Result<OwnCapabilities> own_capabilities() {
  OwnCapabilities out;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (::syscall(SYS_capget, &header, data.data()) < 0) return fail_errno("capget");
  out.permitted = data[0].permitted | (static_cast<CapabilityMask>(data[1].permitted) << 32U);
  // What is permitted is in the bounding set of any process that was not tampered with; only the others are asked for.
  out.bounding = out.permitted;
  for (unsigned number = 0; number < kCapabilityNames.size(); ++number) {
    if ((out.permitted & capability_bit(number)) != 0) continue;
    if (::prctl(PR_CAPBSET_READ, number, 0, 0, 0) == 1) out.bounding |= capability_bit(number);
  }
  return out;
}

CapabilityPlan plan_capabilities(const Capabilities& wanted, CapabilityMask available) {
  CapabilityPlan plan;
  plan.bounding = read_set(wanted.bounding, "bounding", available, plan.warnings);
  plan.permitted = read_set(wanted.permitted, "permitted", available, plan.warnings);
  plan.effective = read_set(wanted.effective, "effective", available, plan.warnings) & plan.permitted;
  plan.inheritable = read_set(wanted.inheritable, "inheritable", available, plan.warnings);
  // The kernel only takes an ambient capability that is permitted and inheritable (capabilities(7)).
  const auto ambient = read_set(wanted.ambient, "ambient", available, plan.warnings);
  plan.ambient = ambient & plan.permitted & plan.inheritable;
  if (plan.ambient != ambient) {
    plan.warnings.emplace_back("/process/capabilities/ambient: only what is permitted and inheritable can be ambient");
  }
  return plan;
}

Status drop_bounding_set(CapabilityMask keep) {
  for (unsigned number = 0; number < 64; ++number) {
    if ((keep & capability_bit(number)) != 0) continue;
    if (::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0) {
      if (errno == EINVAL) return {};  // behind the last capability of this kernel
      return fail_errno(cat("drop capability ", number));
    }
  }
  return {};
}

Status set_capabilities(CapabilityMask effective, CapabilityMask permitted, CapabilityMask inheritable) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  for (unsigned half = 0; half < 2; ++half) {
    data[half].effective = static_cast<std::uint32_t>(effective >> (32 * half));
    data[half].permitted = static_cast<std::uint32_t>(permitted >> (32 * half));
    data[half].inheritable = static_cast<std::uint32_t>(inheritable >> (32 * half));
  }
  if (::syscall(SYS_capset, &header, data.data()) < 0) return fail_errno("capset");
  return {};
}

}  // namespace skerry::oci
