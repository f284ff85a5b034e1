// Every JSON payload between host and guest: whatever decodes must encode to something that decodes to the same.
// Links: wire
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/agent_protocol.h"

using namespace skerry;

namespace {

template <typename Decode, typename Encode>
void round_trip(std::string_view text, Decode decode, Encode encode) {
  const auto value = decode(text);
  if (!value) return;
  const std::string once = encode(*value);
  if (once.size() > wire::kMaxAgentJson) return;  // replaced bytes may make it longer
  const auto again = decode(once);
  if (!again || encode(*again) != once) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip(text, wire::decode_boot_document, wire::encode_boot_document);
  round_trip(text, wire::decode_hello, wire::encode_hello);
  round_trip(text, wire::decode_request, wire::encode_request);
  round_trip(text, wire::decode_response, wire::encode_response);
  round_trip(text, wire::decode_event, wire::encode_event);
  round_trip(text, wire::decode_stats, wire::encode_stats);
  return 0;
}
