// The words of a mount's option list (config.md "Mounts", mount(8)), sorted by what the kernel wants them for.
#pragma once

#include <sys/mount.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

struct MountOptions {
  struct FsOption {
    std::string key;
    std::optional<std::string> value;  // nullopt: a flag
  };

  // MOUNT_ATTR_*: for this mount, and for everything below it (the r… words).
  std::uint64_t set = 0;
  std::uint64_t clear = 0;
  std::uint64_t recursive_set = 0;
  std::uint64_t recursive_clear = 0;
  // MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE; 0 for none named.
  std::uint64_t propagation = 0;
  bool recursive_propagation = false;

  bool bind = false;
  bool recursive_bind = false;
  bool copy_up = false;  // tmpcopyup
  bool idmap = false;
  bool recursive_idmap = false;
  std::vector<FsOption> fs_options;  // for the file system itself: "size=64k", "mode=755", …
};

MountOptions parse_mount_options(const std::vector<std::string>& options);

// All words that have a meaning of their own, for `features`.
std::vector<std::string> known_mount_options();

}  // namespace skerry::oci
