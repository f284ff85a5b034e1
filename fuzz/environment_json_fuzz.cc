// Creation requests and stored specifications: what is accepted survives its own round trip.
// Links: wire core
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/environment_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto request = wire::parse_create_request(text); request) {
    const auto back = wire::parse_create_request(wire::create_request_json(*request));
    if (!back || back->command.spec != request->command.spec) std::abort();
    static_cast<void>(validate(request->command.spec));
  }
  if (const auto spec = wire::parse_environment_spec(text); spec) {
    const auto back = wire::parse_environment_spec(wire::environment_spec_json(*spec));
    if (!back || *back != *spec) std::abort();
  }
  static_cast<void>(wire::parse_update_request(text, {}));
  return 0;
}
