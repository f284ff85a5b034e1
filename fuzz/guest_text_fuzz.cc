// Texts the agent reads in the guest: kernel command line, superblocks, URLs, HTTP lines, /proc files, dial addresses.
// Links: agent
#include <cstdint>
#include <string_view>

#include "agent/dial_session.h"
#include "agent/disks.h"
#include "agent/http_url.h"
#include "agent/kernel_arguments.h"
#include "agent/stats.h"
#include "base/filesystem_magic.h"

using namespace skerry;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(agent::parse_kernel_arguments(text));
  static_cast<void>(filesystem_of(text));
  static_cast<void>(agent::parse_http_url(text));
  static_cast<void>(agent::resolve_endpoint("http://127.0.0.1/app", text));
  static_cast<void>(agent::response_status(text));
  static_cast<void>(agent::rewrite_request(text, "/app"));
  static_cast<void>(agent::parse_dial_address(text));
  wire::GuestStats stats;
  agent::read_meminfo(text, stats);
  agent::read_stat(text, 100, stats);
  agent::read_net_dev(text, stats);
  return 0;
}
