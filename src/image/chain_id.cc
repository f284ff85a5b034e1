#include "image/chain_id.h"

#include "base/text.h"
#include "image/sha256.h"

namespace skerry {

std::vector<Digest> chain_ids(const std::vector<ImageLayer>& layers) {
  std::vector<Digest> out;
  for (const auto& layer : layers) {
    out.push_back(out.empty() ? layer.diff_id : sha256_of(cat(out.back().text(), " ", layer.diff_id.text())));
  }
  return out;
}

Digest chain_id(const std::vector<ImageLayer>& layers) {
  return layers.empty() ? sha256_of("") : chain_ids(layers).back();
}

}  // namespace skerry
