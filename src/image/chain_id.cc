#include "image/chain_id.h"

#include <charconv>

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

std::array<std::uint8_t, 16> uuid_of(const Digest& digest) {
  std::array<std::uint8_t, 16> out{};
  if (digest.empty()) return out;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const char* const digits = digest.hex().data() + 2 * i;
    std::from_chars(digits, digits + 2, out[i], 16);
  }
  return out;
}

}  // namespace skerry
