// Frames of a hostile peer, fed in pieces of changing size. Whatever comes out must survive a round trip.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::size_t step = static_cast<unsigned char>(rest.front()) + 1U;
  rest.remove_prefix(1);
  FrameParser parser;
  while (!rest.empty()) {
    const auto piece = rest.substr(0, step);
    rest.remove_prefix(piece.size());
    parser.feed(piece);
    while (true) {
      auto frame = parser.next();
      if (!frame) {
        if (parser.next()) std::abort();  // once broken, always broken
        return 0;
      }
      if (!*frame) break;
      FrameParser again;
      again.feed(encode_frame((*frame)->kind, (*frame)->session, (*frame)->payload));
      const auto copy = again.next();
      if (!copy || !*copy || (*copy)->payload != (*frame)->payload || again.pending() != 0) std::abort();
      static_cast<void>(decode_size((*frame)->payload));
      static_cast<void>(decode_u32((*frame)->payload));
    }
    if (parser.pending() > kMaxFramePayload + kFrameHeaderSize + step) std::abort();
  }
  return 0;
}
