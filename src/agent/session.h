// Session: one conversation on the channel; its number stands in every frame. ProcessSession runs a process,
// DialSession carries a connection.
#pragma once

#include <cstdint>

#include "base/frame.h"

namespace skerry::agent {

class Session {
 public:
  virtual ~Session() = default;
  // kStdin, kStdinEof, kResize, kSignal, kClose, kPause, kResume.
  virtual void on_frame(const Frame& frame) = 0;
  // The channel has room again: go on reading what is forwarded.
  virtual void on_room() = 0;
};

// Input that the other side has not taken yet: above the first mark the host is told to pause, below the second to
// resume. A host that goes on all the same loses the session at the third.
inline constexpr std::size_t kInputHighMark = 256U << 10U;
inline constexpr std::size_t kInputLowMark = 64U << 10U;
inline constexpr std::size_t kInputLimit = 4U << 20U;

}  // namespace skerry::agent
