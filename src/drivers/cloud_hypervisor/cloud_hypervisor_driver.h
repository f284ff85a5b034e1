// The microVM driver over Cloud Hypervisor instead of QEMU: chosen for the whole daemon (--microvm-driver). The same
// guests, agent, jail, disks and network as drivers/qemu; another machine around them.
//
// It needs KVM that works and the program, and says which of them is missing. What it does not do, it refuses: start
// from a memory snapshot (every start boots), suspend to disk, save of a running guest, directories of the host (-v).
//
// NEVER RUN with the real program: no machine of the project has hardware virtualisation. Held by golden tests against
// the documented API, and by a stand-in that speaks it (tests/system/microvm/fake_cloud_hypervisor.py).
#pragma once

#include <memory>

#include "drivers/driver.h"
#include "drivers/qemu/qemu_driver.h"

namespace skerry {

// `config.program` is Cloud Hypervisor's. `images` outlives the driver.
std::unique_ptr<Driver> make_cloud_hypervisor_driver(JailConfig jail, ImageStore& images, QemuConfig config);

}  // namespace skerry
