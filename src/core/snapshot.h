// Snapshot: an environment as it was at one moment: its disk and, of a run, its memory. The files are the driver's
// (Driver::save); this is what has to be known to go on from them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/environment.h"

namespace skerry {

struct Snapshot {
  std::string name;         // DNS label, unique on this host
  std::string environment;  // whose, by name and by id: the name may be another's by now
  std::string environment_id;
  EnvironmentSpec spec;  // as it was
  std::string image_digest;
  bool with_memory = false;
  std::uint64_t size_bytes = 0;  // on disk
  WallTime created_at;
  bool operator==(const Snapshot&) const = default;
};

// What a fork has besides a name that is not its source's.
struct ForkRequest {
  std::string name;
  // Host ports are one environment's: a fork has those it is given, not its source's.
  std::vector<PublishedPort> ports;
};

}  // namespace skerry
