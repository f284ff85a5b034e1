// Links: core
// Addresses, subnets, MAC addresses and published ports as a user or an API client may write them. What parses must
// print and parse again as the same value.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/net.h"

namespace {

template <typename Value, typename Parse, typename Print>
void round_trip(std::string_view text, Parse parse, Print print) {
  const auto value = parse(text);
  if (!value) return;
  const auto again = parse(print(*value));
  if (!again || !(*again == *value)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip<Ipv4>(text, Ipv4::parse, [](const Ipv4& value) { return value.text(); });
  round_trip<Cidr>(text, Cidr::parse, [](const Cidr& value) { return value.text(); });
  round_trip<MacAddress>(text, MacAddress::parse, [](const MacAddress& value) { return value.text(); });
  round_trip<PublishedPort>(text, parse_published_port, [](const PublishedPort& value) { return to_text(value); });
  const auto zone = zone_for_subnet({}, text);
  if (zone && !AddressPool::of(*zone)) std::abort();
  return 0;
}
