// Frames: the one framing for every byte stream that carries several things at once.
//
// Used between CLI and skerryd (exec, attach), skerryd and skerry-keeper, and keeper and skerry-agent (in the guest).
//
//    0        4        5        8        12
//    ┌────────┬────────┬────────┬────────┬──────────────────┐
//    │ length │ kind   │ zero×3 │session │ payload (length) │      all numbers little-endian
//    └────────┴────────┴────────┴────────┴──────────────────┘
//
// `session` tells the conversations on one channel apart; on a connection that carries only one it is 0. On the agent
// channel session 0 is the workload and the agent itself; the keeper gives every client conversation its own number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

inline constexpr std::uint32_t kExitOutOfMemory = 0x100;

enum class FrameKind : std::uint8_t {
  kRequest = 1,   // client → server: opens a session; payload as the channel defines (JSON to the agent)
  kResponse = 2,  // server → client: the answer to kRequest; payload as the channel defines
  kStdin = 3,     // bytes for the process
  kStdinEof = 4,  // no more input; empty
  kStdout = 5,    // bytes from the process (with a terminal: all of them)
  kStderr = 6,
  kResize = 7,  // columns u16, rows u16
  kSignal = 8,  // signal number u32, for the session's process
  kExit = 9,    // the session's process ended: shell code i32 (0–255; 128 + signal); last frame of a session. Of a
                // guest's workload with kExitOutOfMemory, when that is why
  kEvent = 10,  // server → client, unasked: payload as the channel defines
  kClose = 11,  // the sender gives the session up; the process of an exec session gets SIGHUP, then SIGKILL
  kReady = 12,  // session 0, agent → host: booted, workload started (or: none to start); payload: agent's JSON hello
  // Flow control of one session on a shared channel, both ways; empty. After kPause the peer sends no more kStdout,
  // kStderr or kStdin of the session (what is on its way still comes) until kResume. Who is paused stops reading the
  // process's pipes (or its client), so that the pressure reaches the writer and one slow reader holds up nobody else.
  kPause = 13,
  kResume = 14,
};

inline constexpr std::size_t kFrameHeaderSize = 12;
// The largest payload. A peer that announces more is broken or hostile: the channel is closed.
inline constexpr std::size_t kMaxFramePayload = 256U << 10U;

struct Frame {
  FrameKind kind{};
  std::uint32_t session = 0;
  std::string payload;
};

// The bytes of one frame. The payload must not be larger than kMaxFramePayload (asserted).
std::string encode_frame(FrameKind kind, std::uint32_t session, std::string_view payload);

// Cuts a byte stream into frames. Feed it what was read; take frames until it has none.
class FrameParser {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole frame, nullopt when more bytes are needed. kCorrupt when the stream is not frames (unknown kind,
  // non-zero padding, oversized length): the parser stays failed.
  Result<std::optional<Frame>> next();
  // Bytes held back because their frame is not complete.
  [[nodiscard]] std::size_t pending() const { return buffer_.size() - offset_; }

 private:
  std::string buffer_;
  std::size_t offset_ = 0;
  bool broken_ = false;
};

// Little-endian numbers in payloads.
std::string encode_u32(std::uint32_t value);
Result<std::uint32_t> decode_u32(std::string_view payload);
struct TerminalSize {
  std::uint16_t columns = 80;
  std::uint16_t rows = 24;
  bool operator==(const TerminalSize&) const = default;
};
std::string encode_size(TerminalSize size);
Result<TerminalSize> decode_size(std::string_view payload);

// Blocking use: reads one frame from `fd` (through `parser`), nullopt at end of file between two frames.
Result<std::optional<Frame>> read_frame(int fd, FrameParser& parser);
Status write_frame(int fd, FrameKind kind, std::uint32_t session, std::string_view payload);

}  // namespace skerry
