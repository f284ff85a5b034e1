// The system calls a VMM may make, and nothing else: the allow-list of its jail, below QEMU's own (-sandbox), which
// takes away more once QEMU has started. Pure.
//
// Taken from traces of QEMU 7.2 booting, serving a disk, a tap and its channels, saving and loading its memory and
// ending, and of its C library; with what the same code calls under KVM. Everything else answers EPERM, newer calls
// that libraries try first answer ENOSYS so that they fall back. Sockets are of the unix family only: memory is saved
// through one. New processes cannot be made, only threads.
#pragma once

#include <string_view>

#include "wire/oci_spec.h"

namespace skerry::qemu {

// `more`: names of further calls, parted by spaces.
oci::Seccomp vmm_seccomp(std::string_view more = {});

}  // namespace skerry::qemu
