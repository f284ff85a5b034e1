// Request targets: routes, parameters and queries.
// Links: api
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "api/http.h"
#include "api/route.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry::api;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto question = text.find('?');
  for (const auto method : {"GET", "POST", "DELETE", "NONE"}) {
    static_cast<void>(find_route(method, text.substr(0, question)));
  }
  if (question != std::string_view::npos) static_cast<void>(parse_query(text.substr(question + 1)));
  return 0;
}
