// The client's end of a copy: a tar to or from the command that packs or unpacks it inside an environment
// (wire/copier_arguments.h), over a conversation in frames.
//
// What comes from there is hostile: bounded, and shown without what steers a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "cli/http_client.h"
#include "cli/progress_line.h"

namespace skerry::cli {

class CopyStream {
 public:
  // `name`: of the environment, for messages.
  CopyStream(FrameChannel channel, std::string name, const Settings& settings);

  // The tar's next bytes, valid until the next call; empty at its end. When the other end failed: its reason
  // (kNotFound: there is no such file). kCancelled after Ctrl-C, kUnavailable when the connection broke.
  Result<std::string_view> read();
  // Until the first bytes of the tar are here, which the next read() gives; likewise.
  Status await_first();
  // Sends a piece; likewise.
  Status write(std::string_view bytes);
  // Until there is something to read at `fd` (or its end); likewise.
  Status await_input(int fd);
  // No more will be sent: until the other end is done with it.
  Status finish();

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  Status move_some(int also = -1);
  void send_some();
  Status receive();
  Status take_frames();
  void take_words(std::string_view bytes);
  void take_line(std::string_view line);
  [[nodiscard]] std::unexpected<Error> failure();
  [[nodiscard]] std::unexpected<Error> ended_early();
  void count(std::size_t size);

  FrameChannel channel_;
  std::string name_;
  ProgressLine line_;
  SystemClock clock_;
  bool reading_ = false;      // it is asked for a tar; else what it sends as one is dropped
  std::string in_, current_;  // received; what read() gave last
  std::string out_;           // frames to send
  std::optional<std::uint32_t> exit_code_;
  bool deaf_ = false;  // the other end takes no more
  std::string words_;  // of its standard error: a line that is not whole
  std::string reason_;
  int notes_ = 0;
  std::uint64_t bytes_ = 0;
  MonoTime started_, drawn_;
};

}  // namespace skerry::cli
