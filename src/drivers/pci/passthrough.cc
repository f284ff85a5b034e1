#include "drivers/pci/passthrough.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace skerry::pci {
namespace {

Result<std::set<PciAddress>> asked_for(const PassthroughRequest& request) {
  std::set<PciAddress> out;
  for (const auto& text : request.addresses) {
    const auto address = TRY(PciAddress::parse(text));
    if (!out.insert(address).second) {
      return fail(ErrorCode::kInvalidArgument, cat("PCI device ", address.text(), " is asked for twice"));
    }
  }
  return out;
}

Result<std::set<PciKind>> allowed_kinds(const PassthroughRequest& request) {
  std::set<PciKind> out;
  for (const auto& text : request.allowed) out.insert(TRY_IN("allowlist", PciKind::parse(text)));
  return out;
}

Status check_device(const PciDevice& device, const std::set<PciKind>& allowed) {
  const auto what = cat("PCI device ", device.address.text(), " (", device.kind.text(), ")");
  if (device.is_bridge()) return fail(ErrorCode::kRefused, cat(what, " is a bridge: guests cannot have one"));
  if (!allowed.contains(device.kind)) {
    return fail(ErrorCode::kRefused, cat(what, ": its kind is not in the allow-list"),
                cat("add \"", device.kind.text(), "\" to devices.allowlist"));
  }
  if (!device.group) {
    return fail(ErrorCode::kUnsupported, cat(what, ": no IOMMU keeps it out of the host's memory"),
                "enable VT-d or AMD-Vi in the firmware, and intel_iommu=on on the kernel's command line");
  }
  if (device.driver == kVfioDriver) return fail(ErrorCode::kConflict, cat(what, " is with a guest already"));
  return {};
}

// The others of its group that could reach memory through the same hole.
Status check_group(const PciTree& tree, const PciDevice& device, const std::set<PciAddress>& asked) {
  for (const auto& other : tree.group(*device.group)) {
    if (other.is_bridge() || asked.contains(other.address)) continue;
    return fail(ErrorCode::kRefused,
                cat("PCI device ", device.address.text(), " shares IOMMU group ", *device.group, " with ",
                    other.address.text(), ", which is not asked for"),
                "devices of one group go together");
  }
  return {};
}

}  // namespace

Result<std::vector<Binding>> plan_passthrough(const PciTree& tree, const PassthroughRequest& request) {
  const auto asked = TRY(asked_for(request));
  const auto allowed = TRY(allowed_kinds(request));
  std::vector<Binding> plan;
  for (const auto& address : asked) {
    const auto found = tree.devices.find(address);
    if (found == tree.devices.end()) {
      return fail(ErrorCode::kNotFound, cat("there is no PCI device ", address.text()));
    }
    const auto& device = found->second;
    TRY(check_device(device, allowed));
    TRY(check_group(tree, device, asked));
    plan.push_back({address, *device.group, device.driver});
  }
  return plan;
}

}  // namespace skerry::pci
