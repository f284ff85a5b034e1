// Chain ids: the identity of layers applied one on the other (OCI image specification, "Layer ChainID").
#pragma once

#include <vector>

#include "core/digest.h"
#include "core/image.h"

namespace skerry {

// One id a layer: of that layer on all below it. Bottom first.
std::vector<Digest> chain_ids(const std::vector<ImageLayer>& layers);
// Of all layers; of no layers: the digest of nothing.
Digest chain_id(const std::vector<ImageLayer>& layers);

}  // namespace skerry
