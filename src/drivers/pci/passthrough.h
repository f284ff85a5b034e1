// Whether a guest may have these devices of the host, and what has to be done for it: pure (A36).
//
// A device is given only when the allow-list names its kind, and an IOMMU stands between it and the host's memory. The
// IOMMU tells groups apart, not devices (Documentation/driver-api/vfio.rst): all of a group go together, or nobody.
// Bridges of a group stay with the host; a guest cannot have them, and they read no memory of their own will.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "drivers/pci/pci_tree.h"

namespace skerry::pci {

struct PassthroughRequest {
  std::vector<std::string> addresses;  // as a manifest names them
  std::vector<std::string> allowed;    // "vendor:device"
};

// A device to take, and the driver to give it back to (empty: it had none).
struct Binding {
  PciAddress address;
  std::uint32_t group = 0;
  std::string driver;
  bool operator==(const Binding&) const = default;
};

// The driver that hands devices to a VMM.
inline constexpr const char* kVfioDriver = "vfio-pci";

// In the order of the addresses. kInvalidArgument: an address or kind that is none, an address twice. kNotFound: no
// such device. kRefused: a kind that is not allowed, a group that is not asked for as a whole, a bridge. kUnsupported:
// no IOMMU. kConflict: it is a guest's already.
Result<std::vector<Binding>> plan_passthrough(const PciTree& tree, const PassthroughRequest& request);

}  // namespace skerry::pci
