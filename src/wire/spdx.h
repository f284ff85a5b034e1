// A software bill of materials in SPDX 2.3 JSON (https://spdx.github.io/spdx-spec/v2.3/), as `skerry images build`
// writes it beside an artifact. The same input gives the same bytes: the creation time is fixed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"

namespace skerry::wire {

struct SpdxPackage {
  std::string name;
  std::string version;       // may be empty
  std::string architecture;  // may be empty
  std::string purl;          // package URL; may be empty
};

// One document: the artifact as the package that is described, and what it contains.
std::string format_spdx(std::string_view name, const Digest& artifact, const std::vector<SpdxPackage>& packages);

}  // namespace skerry::wire
