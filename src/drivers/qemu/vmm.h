// Vmm: one QEMU machine in its jail, from the pure values to the running process. The driver's hands.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "drivers/driver.h"
#include "drivers/jail.h"
#include "drivers/pci/passthrough.h"
#include "drivers/qemu/boot_files.h"
#include "drivers/qemu/machine.h"

namespace skerry::qemu {

struct VmmDisk {
  std::string serial;
  Fd file;
  bool read_only = true;
  std::uint64_t size = 0;  // bytes; part of what a template must have in common with its forks
};
// The file, with its size.
Result<VmmDisk> open_disk(std::string serial, const std::string& path, bool read_only);

struct VmmMemory {
  int fd = -1;  // borrowed
  bool shared = false;
};

struct VmmSpec {
  std::string program;  // of QEMU
  BootFiles boot;
  std::string command_line;
  Accelerator accelerator = Accelerator::kTcg;
  std::uint32_t cpu_milli = kMilliPerCore;
  std::uint32_t memory_mib = 128;
  Fd tap;  // invalid: no network card
  std::string mac;
  std::vector<VmmDisk> disks;
  bool blank_layer = false;  // the disk "overlay" is yet to be made: its file is not open
  std::optional<VmmMemory> memory;
  Fd own_memory;  // what `memory` borrows, when nobody else holds it
  Fd share;       // valid: connected to the server of its shares (shares.h); needs shared memory
  std::vector<pci::Binding> host_devices;  // taken for it (host_devices.h)
  int incoming_state = -1;  // borrowed: a fork loads its devices from it (migrate-incoming fd:kIncomingFd) and waits
  Fd qmp;                   // valid: QMP goes over this socket; else over the keeper's channel "qmp"
};
// The number the incoming state has inside.
inline constexpr int kIncomingFd = 6;

std::uint32_t vcpus_of(const VmmSpec& spec);

// Makes the jail with the machine in it, not yet started. What is in place.run_dir when it fails is the caller's to
// remove. The descriptors of `spec` are borrowed.
Result<pid_t> create_vmm(Jail& jail, const EnvironmentPlace& place, const VmmSpec& spec);
// And started at once; `attach` as in Jail::run(). For a machine that says nothing by itself.
Result<Started> run_vmm(Jail& jail, const EnvironmentPlace& place, const VmmSpec& spec, bool attach);

}  // namespace skerry::qemu
