// Microvm: the machine behind one container, from its plan to a booted guest whose workload waits.
//
// Everything about it stands in one directory (EnvironmentPlace::run_dir), as with a driver: another call of the
// program finds it there. The VMM and the server of its shares run in jails that skerry-oci makes (drivers/jail.h).
#pragma once

#include <string>

#include "base/result.h"
#include "drivers/jail.h"
#include "oci_microvm/guest_of_spec.h"

namespace skerry::oci_microvm {

// The programs and files it needs.
struct Programs {
  std::string directory;  // of skerry-oci, skerry-keeper and skerry-agent
  std::string qemu = "/usr/bin/qemu-system-x86_64";
  std::string share_server = "/usr/lib/qemu/virtiofsd";
  std::string cache = "/var/cache/skerry-oci-microvm";  // kernel, initramfs, what was found out about the accelerator
};

// The directory below a container's own, and the id of its jail.
EnvironmentPlace microvm_place(const std::string& container_directory, const std::string& id);
JailConfig jail_config(const Programs& programs, const std::string& root, const std::string& control_group);

// Boots it; the conversation is the workload's stdio, from its first byte on. What is left of a failure
// remove_microvm() takes away.
Result<Conversation> boot_microvm(Jail& jail, const Programs& programs, const EnvironmentPlace& place,
                                  const GuestOfSpec& guest);
// Lets the workload run. kCommandNotFound / kNotExecutable when it cannot.
Status start_workload(const EnvironmentPlace& place);
Status signal_workload(const EnvironmentPlace& place, int signal_number);
Result<Conversation> exec_in_microvm(const EnvironmentPlace& place, wire::GuestProcess process);
// From whatever state; nothing there is success. Gives the network interface back; the container's group goes too.
Status remove_microvm(const Jail& jail, const EnvironmentPlace& place);

}  // namespace skerry::oci_microvm
