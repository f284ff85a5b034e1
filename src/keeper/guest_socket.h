// GuestSocket: where a guest comes to the keeper by a socket with a name, because its VMM can give it no inherited
// descriptor (a vsock connection, which Cloud Hypervisor turns into one to PATH_PORT).
//
//   VMM ── connects ──▶ PATH ══ GuestSocket ══ one end of a pair; the other is the channel's
//
// One guest, once: the first connection is the guest's, later ones are closed. When either side ends, both do. What one
// side does not take yet is bounded: the other is not read meanwhile.
#pragma once

#include <memory>
#include <string>

#include "keeper/connection.h"
#include "keeper/listener.h"

namespace skerry::keeper {

class GuestSocket {
 public:
  // The socket is for everybody whom its directory lets in. A stale one is replaced.
  static Result<std::unique_ptr<GuestSocket>> open(EventLoop& loop, const std::string& path, Fd channel);

  // The VMM has ended: nobody comes any more.
  void close();

 private:
  explicit GuestSocket(EventLoop& loop) : loop_(loop) {}
  void accept(Fd socket);
  static Connection::Handlers carry(std::shared_ptr<Connection>& from, std::shared_ptr<Connection>& to);

  EventLoop& loop_;
  std::unique_ptr<Listener> listener_;
  std::shared_ptr<Connection> channel_;
  std::shared_ptr<Connection> guest_;
};

}  // namespace skerry::keeper
