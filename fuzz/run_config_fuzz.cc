// Run configurations.
// Links: wire core
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wire/run_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto spec = skerry::wire::parse_run_config({reinterpret_cast<const char*>(data), size});
  if (spec) static_cast<void>(skerry::validate(*spec));
  return 0;
}
