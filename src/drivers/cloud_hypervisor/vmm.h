// One Cloud Hypervisor in its jail, from what a microVM driver has prepared (drivers/qemu/vmm.h, VmmSpec) to the
// running guest. The driver's hands.
//
//   run_dir/vmm/        its root file system: /vm/vmm, /vm/kernel, /vm/initramfs, /vm/diskN, all mounted there
//   run_dir/channel/    its own directory, /run/vm inside: the socket of its vsock, and ours for the agent beside it
//   run_dir/api.sock    its REST API; it inherits the listening socket
//
// It opens its disks by name. So what is this guest's alone is given to its user, and what others share (the base disk)
// it sees through an ID-mapped mount, as if it were its own.
#pragma once

#include "base/result.h"
#include "drivers/cloud_hypervisor/api_client.h"
#include "drivers/driver.h"
#include "drivers/jail.h"
#include "drivers/qemu/vmm.h"

namespace skerry::cloud_hypervisor {

// The port of the host the agent connects to, and the word that tells it so.
inline constexpr const char* kGuestArgument = "skerry.channel=vsock:1024";

// The guest's machine as the VMM sees it, in the jail.
Machine machine_of(const qemu::VmmSpec& spec);

// Makes the jail with the process in it, not yet started; it has no machine yet. What is in place.run_dir when it fails
// is the caller's to remove. The descriptors of `spec` are borrowed.
Result<pid_t> make_vmm(Jail& jail, const EnvironmentPlace& place, const qemu::VmmSpec& spec);
// Of the started process.
Result<ApiClient> connect_vmm(const EnvironmentPlace& place);
// Gives it its machine and boots that.
Status boot_vmm(const EnvironmentPlace& place, const qemu::VmmSpec& spec);

}  // namespace skerry::cloud_hypervisor
