// DialSession: a connection to something that listens inside the guest, carried over the channel. The host reaches a
// guest's port this way without any network between them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "agent/pump.h"
#include "agent/session.h"
#include "base/result.h"

namespace skerry::agent {

// "tcp:ADDRESS:PORT" (IPv4 only) or "unix:/path".
struct DialAddress {
  std::string host;  // dotted quad
  std::uint16_t port = 0;
  std::string path;  // unix; then the others are unused
};
Result<DialAddress> parse_dial_address(std::string_view text);
// Starts a non-blocking connect; writable when it is done (connect(2), EINPROGRESS).
Result<Fd> start_connect(const DialAddress& address);

// The response is sent by the session itself, when the connection stands or has failed (kUnavailable).
class DialSession final : public Session {
 public:
  static Result<std::unique_ptr<DialSession>> open(EventLoop& loop, Channel& channel, std::uint32_t number,
                                                   const std::string& address, std::function<void(int)> ended);
  ~DialSession() override;
  void on_frame(const Frame& frame) override;
  void on_room() override;

 private:
  DialSession(EventLoop& loop, Channel& channel, std::uint32_t number, Fd connecting, std::function<void(int)> ended);
  void connected();
  void end(int code);

  EventLoop& loop_;
  Channel& channel_;
  std::uint32_t number_;
  Fd connecting_;
  std::unique_ptr<InputPump> input_;
  std::unique_ptr<OutputPump> output_;
  std::function<void(int)> ended_;
};

}  // namespace skerry::agent
