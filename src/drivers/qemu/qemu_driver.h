// The microVM driver: QEMU's microvm machine with direct kernel boot and skerry-agent as PID 1, jailed by skerry-oci
// under a keeper like any container.
//
//   state_dir/overlay.img     the guest's writable layer: sparse, ext4; kept for an app, dropped at the end otherwise
//   run_dir/vmm/              the VMM's (empty) root file system
//   run_dir/shares/           the server of the host's directories that it sees (drivers/qemu/shares.h)
//   run_dir/…                 the jail's and the keeper's files (drivers/jail.h)
//   cache_dir/                vmlinux, initramfs, empty overlay, probe results; shared, made when missing
//
// Channels of the keeper: "agent" (framed), "qmp" (raw), "console" (console).
#pragma once

#include <memory>
#include <string>

#include "drivers/driver.h"
#include "drivers/jail.h"
#include "image/kernel_store.h"
#include "image/store.h"

namespace skerry {

enum class AccelChoice : std::uint8_t { kAuto, kKvm, kTcg };
// "auto", "kvm" or "tcg".
Result<AccelChoice> parse_accel(std::string_view text);

struct QemuConfig {
  std::string program = "/usr/bin/qemu-system-x86_64";
  std::string share_server = "/usr/lib/qemu/virtiofsd";  // for directories of the host
  std::string agent;                                     // path of skerry-agent
  std::string kernel;                                    // bzImage or vmlinux; empty: what `kernels` says
  KernelStore* kernels = nullptr;                        // outlives the driver; null: the distribution's newest
  std::string cache_dir;                                 // "<state>/boot"
  AccelChoice accel = AccelChoice::kAuto;
  std::uint64_t overlay_mib = 8192;  // most that a guest may write
  Duration boot_timeout = std::chrono::seconds(60);
  // Start from a memory snapshot of a parked guest where one fits; the first start of a shape makes it. Each holds what
  // a booted guest has touched (about 90 MiB); 0: always boot cold.
  std::size_t most_templates = 4;
  std::uint16_t api_port = 0;   // told to the guest as skerry.api_port, with its gateway as skerry.api_host; 0: neither
  std::string guest_arguments;  // added to the kernel command line of every guest
};

// `images` outlives the driver.
std::unique_ptr<Driver> make_qemu_driver(JailConfig jail, ImageStore& images, QemuConfig config);

}  // namespace skerry
