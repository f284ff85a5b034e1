#include "api/peer_stream.h"

#include <utility>

namespace skerry::api {

std::string PeerStream::encode(FrameKind kind, std::string_view payload) const {
  if (!plain_) return encode_frame(kind, session_, payload);
  return kind == FrameKind::kStdin ? std::string(payload) : std::string();
}

void PeerStream::feed(std::string_view bytes) {
  if (plain_) {
    bytes_ += bytes;
  } else {
    frames_.feed(bytes);
  }
}

Result<std::optional<Frame>> PeerStream::next() {
  if (plain_) {
    if (bytes_.empty()) return std::nullopt;
    return Frame{FrameKind::kStdout, session_, std::exchange(bytes_, {})};
  }
  while (true) {
    auto frame = TRY(frames_.next());
    if (!frame || frame->session == session_) return frame;
  }
}

std::optional<std::string> PeerStream::exit_at_end() const {
  if (!plain_) return std::nullopt;
  return encode_u32(0);
}

}  // namespace skerry::api
