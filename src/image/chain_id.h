// Chain ids: the identity of layers applied one on the other (OCI image specification, "Layer ChainID").
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/digest.h"
#include "core/image.h"

namespace skerry {

// One id a layer: of that layer on all below it. Bottom first.
std::vector<Digest> chain_ids(const std::vector<ImageLayer>& layers);
// Of all layers; of no layers: the digest of nothing.
Digest chain_id(const std::vector<ImageLayer>& layers);

// The first half of a digest, as the UUID of a file system with that content.
std::array<std::uint8_t, 16> uuid_of(const Digest& digest);

}  // namespace skerry
