// The manifest value of a kernel command line: what unpacks packs again to something that unpacks to the same text.
// Links: wire
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/manifest_codec.h"

using namespace skerry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto bytes = wire::base64url_decode(text)) {
    if (wire::base64url_encode(*bytes) != text) std::abort();
  }
  if (const auto manifest = wire::decode_manifest(text)) {
    const auto packed = wire::encode_manifest(*manifest);
    if (!packed || wire::decode_manifest(*packed).value_or(*manifest + "?") != *manifest) std::abort();
  }
  return 0;
}
