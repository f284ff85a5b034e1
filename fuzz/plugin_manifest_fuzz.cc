// Plugin manifests, as users install them: what is accepted is valid, and its signature is over one text.
// Links: wire core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/plugin_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto manifest = wire::parse_plugin_manifest(text); manifest && !validate(*manifest)) std::abort();
  if (const auto once = wire::signed_text(text); once && wire::signed_text(*once) != *once) std::abort();
  return 0;
}
