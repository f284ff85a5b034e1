// Relay: carries bytes both ways between two stream sockets, with one bounded buffer each way and half-closes kept.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/event_loop.h"
#include "base/fd.h"

namespace skerry::agent {

class Relay {
 public:
  // Changes the first bytes that go from `first` to `second`; nullopt: more of them are needed. Empty: nothing changes.
  using Rewrite = std::function<std::optional<std::string>(std::string_view)>;

  // Both non-blocking; `second` may still be connecting. `ended` is called once, from the loop.
  Relay(EventLoop& loop, Fd first, Fd second, Rewrite rewrite, std::function<void()> ended);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  Status open();

 private:
  struct Side {
    Fd fd;
    std::string outgoing;      // waits to be written here
    bool read_ended = false;   // nothing more comes from here
    bool write_ended = false;  // the end was passed on here
  };
  void on_events(Side& side, Side& other, std::uint32_t events);
  void read_from(Side& side, Side& other);
  void write_to(Side& side, Side& other);
  void update(Side& side, const Side& other);
  void end();

  EventLoop& loop_;
  Side first_;
  Side second_;
  Rewrite rewrite_;
  std::string head_;  // of the first direction, until it could be rewritten
  std::function<void()> ended_;
};

}  // namespace skerry::agent
