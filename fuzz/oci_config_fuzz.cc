// Links: wire
// config.json as an attacker may write it: reading never crashes, and what was read can be written and read again to
// the same value.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/oci_spec.h"
#include "wire/oci_spec_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto spec = skerry::oci::parse_spec(text)) {
    const std::string written = skerry::oci::to_json(*spec);
    const auto again = skerry::oci::parse_spec(written);
    if (!again || skerry::oci::to_json(*again) != written) std::abort();
  }
  (void)skerry::oci::parse_process(text);
  (void)skerry::oci::parse_resources(text);
  (void)skerry::oci::parse_record(text);
  return 0;
}
