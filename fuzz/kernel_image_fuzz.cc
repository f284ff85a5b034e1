// Kernel images somebody names: the bzImage header and the LZ4 stream inside.
// Links: image
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "image/kernel_image.h"

using namespace skerry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(extract_vmlinux(bytes));
  static_cast<void>(decompress_lz4_legacy(bytes, 1U << 20U));
  if (const auto release = kernel_release_of(bytes); release.find('\n') != std::string::npos) std::abort();
  return 0;
}
