// ByteChannel: a channel of plain bytes, QMP or the serial console (ChannelMode::kRaw, kConsole).
//
// The main process never waits: it is always read; a client that does not keep up is dropped.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/keeper_protocol.h"
#include "keeper/connection.h"
#include "keeper/listener.h"
#include "keeper/ring_text.h"
#include "keeper/rotating_file.h"

namespace skerry::keeper {

inline constexpr std::size_t kBacklog = 64U << 10U;

class ByteChannel {
 public:
  // `log` gets a copy of everything (the console's); `closed` is called when the main process's end has gone.
  static Result<std::unique_ptr<ByteChannel>> open(EventLoop& loop, const std::string& socket_path, Fd process,
                                                   ChannelMode mode, std::optional<RotatingFile> log,
                                                   std::function<void()> closed);
  [[nodiscard]] bool closed() const { return process_->closed(); }

 private:
  ByteChannel(EventLoop& loop, ChannelMode mode, std::optional<RotatingFile> log)
      : loop_(loop), mode_(mode), log_(std::move(log)) {}
  void accept(Fd socket);
  void from_client(std::string_view bytes);
  void from_process(std::string_view bytes);
  void drop_client(std::uint64_t id);

  EventLoop& loop_;
  ChannelMode mode_;
  std::optional<RotatingFile> log_;
  std::shared_ptr<Connection> process_;
  std::unique_ptr<Listener> listener_;
  std::map<std::uint64_t, std::shared_ptr<Connection>> clients_;
  std::uint64_t next_id_ = 1;
  RingText backlog_{kBacklog};
};

}  // namespace skerry::keeper
