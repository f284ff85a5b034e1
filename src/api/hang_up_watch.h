// HangUpWatch: looks, while an answer is waited for, whether anybody is left to get it. Some answers take as long as an
// environment runs, and a connection that nobody ends is one less for all others.
//
// Sees a hang-up also behind bytes that nobody has read. A client that only says that it will send no more
// (shutdown(2)) counts as gone as well, if the answer takes its time: TCP does not tell the two apart. I/O thread only.
#pragma once

#include <memory>

#include "api/asio.h"
#include "api/core.h"

namespace skerry::api {

std::unexpected<Error> client_is_gone();

class HangUpWatch : public std::enable_shared_from_this<HangUpWatch> {
 public:
  HangUpWatch(asio::io_context& io, int socket) : timer_(io), socket_(socket) {}

  // The socket stays open until end().
  void begin();
  void end();
  [[nodiscard]] bool gone() const { return gone_; }
  // Called with client_is_gone() as soon as it is seen.
  [[nodiscard]] const LetGo& let_go() const { return let_go_; }

 private:
  void look();

  asio::steady_timer timer_;
  const int socket_;
  LetGo let_go_ = std::make_shared<std::function<void(Result<Response>)>>();
  bool over_ = false;
  bool gone_ = false;
};

}  // namespace skerry::api
