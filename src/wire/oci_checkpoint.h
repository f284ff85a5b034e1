// CheckpointRecord: what of a checkpointed container lies outside of it, and so is not in CRIU's images: the file
// skerry.json beside them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

struct CheckpointRecord {
  struct OutsideMount {
    std::string mount_point;  // as the container saw it
    std::string destination;  // of which entry of /mounts it is; "" for a device
    std::string device;       // the node of the host that is mounted there
    std::string options;      // how: "ro,nosuid"
    bool operator==(const OutsideMount&) const = default;
  };
  // Standard input, output and error by CRIU's names ("pipe:[123]"), "" for one that belongs to the container.
  std::vector<std::string> descriptors;
  std::vector<OutsideMount> mounts;
};

std::string to_json(const CheckpointRecord& record);
Result<CheckpointRecord> parse_checkpoint_record(std::string_view json);

}  // namespace skerry::oci
