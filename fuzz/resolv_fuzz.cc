// Links: network
// A host's resolv.conf, whatever it holds: what an environment gets from it holds only clean lines.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "network/resolv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto rendered = network::render_resolv_conf(text, {{}, {"192.0.2.53"}});
  if (!rendered) std::abort();
  for (const char c : *rendered) {
    if (c != '\n' && c != '\t' && (c < ' ' || c > '~')) std::abort();
  }
  const auto servers = network::choose_resolvers(text, {{}, {"192.0.2.53"}});
  if (!servers || servers->empty() || servers->size() > 3) std::abort();
  return 0;
}
