// The guest's virtio disks, found by the serial the host gave them ("root", "overlay", "manifest", …), never by the
// order in which the kernel happened to name them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry::agent {

// "/dev/vda" of the disk with this serial. Waits for it up to two seconds: the driver probes after it was loaded.
Result<std::string> find_disk(std::string_view serial);

// The file system by its superblock: "erofs", "ext4", "squashfs", "xfs" or "btrfs". kCorrupt when it is none of them.
Result<std::string> detect_filesystem(const std::string& device);

// Reads the boot document's packed text from a manifest disk: the line "skerry-manifest 1", the packed text in one
// line, then zeros. kCorrupt when it is not one.
Result<std::string> read_manifest_disk(const std::string& device);

}  // namespace skerry::agent
