// PeerStream: how a relay talks with the other end of a conversation (drivers/driver.h), in frames of its session or,
// where it is plain, in bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/frame.h"
#include "drivers/driver.h"

namespace skerry::api {

class PeerStream {
 public:
  explicit PeerStream(const Conversation& peer) : session_(peer.session), plain_(peer.plain) {}

  // What to write for it; "": a plain peer has no word for that (it has no size, takes no signals, does not end).
  [[nodiscard]] std::string encode(FrameKind kind, std::string_view payload) const;

  void feed(std::string_view bytes);
  // The next frame of the session, nullopt when it has not come in whole. kCorrupt: not frames.
  Result<std::optional<Frame>> next();
  // The payload of kExit for a peer that hung up without one; nullopt: it should have sent one.
  [[nodiscard]] std::optional<std::string> exit_at_end() const;

 private:
  std::uint32_t session_;
  bool plain_;
  FrameParser frames_;
  std::string bytes_;
};

}  // namespace skerry::api
