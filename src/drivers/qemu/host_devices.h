// PCI devices of the host that a microVM has for itself (A36): taken from their drivers before it starts, given back
// when its run is collected, also by a daemon that comes after a killed one (drivers/pci/binding.h keeps the record in
// the run directory).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "drivers/driver.h"
#include "drivers/pci/passthrough.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/vmm_jail.h"

namespace skerry::qemu {

// None asked for is none taken. Errors of plan_passthrough(), and kUnsupported without KVM: an emulated processor's
// memory cannot be pinned for a device.
Result<std::vector<pci::Binding>> take_host_devices(const EnvironmentPlace& place, const DevicePassthrough& wanted,
                                                    Accelerator accelerator);
Status give_back_host_devices(const EnvironmentPlace& place);
// Whether its run has some: then it can be neither saved nor forked.
bool has_host_devices(const EnvironmentPlace& place);

// What a VMM opens for them: /dev/vfio/vfio and one node for each IOMMU group. None for none.
Result<std::vector<VmmJailInputs::Node>> vfio_nodes(const std::vector<pci::Binding>& devices);

}  // namespace skerry::qemu
