// The disk that cloud-init's NoCloud data source reads (docs.cloud-init.io, "NoCloud", "Source 2: drive with labeled
// file system"): an ISO 9660 image with the volume label "cidata" and files at its top.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace skerry {

// Name and content of each file.
using SeedFiles = std::vector<std::pair<std::string, std::string>>;

// The image's bytes. Names keep their letters (Rock Ridge).
Result<std::string> make_seed_disk(const SeedFiles& files);

}  // namespace skerry
