// What cloud-init's data source NoCloud finds on its disk (image/seed_disk.h), from a launch. Pure.
#pragma once

#include "drivers/driver.h"
#include "image/seed_disk.h"

namespace skerry::qemu {

// The serial of the disk; the label of its file system is the one that cloud-init looks for.
inline constexpr const char* kSeedDisk = "cidata";

// user-data, meta-data (instance-id: the environment's, so that a fork is another instance), network-config (what the
// specification says, else the leased address in version 2 of cloud-init's format; left out without a network) and,
// if there is some, vendor-data. `launch.spec.cloud_init` is set.
SeedFiles seed_files(const Launch& launch);

}  // namespace skerry::qemu
