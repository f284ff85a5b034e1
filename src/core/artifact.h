// Artifact: a file that is named by where it comes from and by what it must be.
#pragma once

#include <string>

namespace skerry {

// A file that a microVM boots from, and what it must be.
struct Artifact {
  std::string url;       // file:// or https://
  std::string checksum;  // "sha256:<hex>"
  std::string format;    // a disk: "erofs", "ext4", "squashfs", "xfs", "btrfs" or "raw" (look yourself); else free
  bool operator==(const Artifact&) const = default;
};

}  // namespace skerry
