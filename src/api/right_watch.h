// RightWatch: looks, while a request is answered, whether its caller may still make it. A stream or a conversation
// lasts longer than a token may: whose is revoked, or whose zone is gone, is hung up on, within seconds, and what runs
// behind the connection ends as if the client had left. I/O thread only.
#pragma once

#include <functional>
#include <memory>

#include "api/asio.h"

namespace skerry::api {

class RightWatch {
 public:
  // From now on until it is destroyed; the socket stays open, and what `still_may` refers to stays, as long.
  RightWatch(asio::io_context& io, int socket, std::function<bool()> still_may);
  ~RightWatch();
  RightWatch(const RightWatch&) = delete;
  RightWatch& operator=(const RightWatch&) = delete;

 private:
  struct State;
  static void look_later(const std::shared_ptr<State>& state);

  std::shared_ptr<State> state_;
};

}  // namespace skerry::api
