// Image references as people and APIs write them. What parses must parse again from its own text, to the same value.
// Links: core
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto reference = skerry::ImageReference::parse(text);
  if (reference) {
    const auto again = skerry::ImageReference::parse(reference->text());
    if (!again || *again != *reference) std::abort();
    // Names become arguments of skopeo and parts of URLs.
    if (reference->text().front() == '-' || reference->name().find("..") != std::string::npos) std::abort();
  }
  return 0;
}
