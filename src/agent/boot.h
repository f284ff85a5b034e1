// Booting: from the kernel's first exec to a guest in which the workload can run.
//
//   stage 1, from the initramfs        stage 2, from the root file system
//     kernel file systems, modules       kernel file systems that stage 1 does not need
//     boot document                      network, host name, /etc files
//     root disk + overlay                mounts of the document
//     switch root, re-exec ────────────▶ agent channel, workload (agent.h)
//
// With RootMode::kInitramfs there is no switch: stage 2 follows in the same process.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

// How stage 1 tells the re-executed agent that it is stage 2: the argument "stage2" and the number of the descriptor of
// the writable layer (-1: none).
inline constexpr const char* kStageTwo = "stage2";

// /proc, /sys, /dev: what everything else needs. What is mounted already stays.
Status mount_kernel_filesystems();
bool is_mount_point(const std::string& path);

// The boot document the host gave: from the command line or from the manifest disk. None given: a guest that waits for
// requests, named "skerry".
Result<wire::BootDocument> read_boot_document();

// RootMode::kDisk: mounts the disk (and overlay), makes it the root and drops the initramfs. Gives the root directory
// of the writable layer's file system; no descriptor when that is in memory.
Result<Fd> enter_root_disk(const wire::GuestRoot& root);
// Executes the agent anew, from the new root, so that the memory of the initramfs is free. Returns only with an error.
Error re_execute(const Fd& layer);

// Only the read-only disk, where enter_root_disk() will look for it.
Status mount_root_disk();

// Parked (BootDocument::park): mounts the root disk, which is the same for every environment of an image, and waits on
// the port for the document; with `root.overlay` it has entered that root by then, with the empty writable layer that
// every new environment begins with. A parked guest goes on in the same process: a fork that had to load the program
// again would be slower by a third.
struct Unparked {
  Fd port;
  std::optional<Fd> layer;  // enter_root_disk()'s, when it has been entered
  std::vector<std::string> warnings;
  wire::BootDocument document;
};
Result<Unparked> await_document(const wire::GuestRoot& root);

// What is the same in every guest and moves along into a new root: terminals, shared memory, message queues, control
// groups, loopback. Returns warnings.
std::vector<std::string> prepare_shared();

// Stage 2 up to the point where the workload could start. What does not work but need not stop the guest (a module, a
// resolver file on a read-only disk) is returned as warnings.
Result<std::vector<std::string>> prepare_guest(const wire::BootDocument& document);

// The agent channel's port, or its connection where the kernel command line says so (agent/vsock.h), non-blocking.
// Waits up to five seconds.
Result<Fd> open_agent_port();

}  // namespace skerry::agent
