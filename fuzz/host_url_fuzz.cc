// Links: cli
// --host of the command line, and what skerry-tls reports: a host that cannot end a header, or an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cli/endpoint.h"
#include "cli/tls_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const std::string text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(cli::read_report(text));
  const auto endpoint = cli::parse_host_url(text);
  if (!endpoint) return 0;
  if (endpoint->host.empty() || endpoint->port == 0) std::abort();
  if (endpoint->host.find_first_of(" /@\r\n?#[]") != std::string::npos) std::abort();
  return 0;
}
