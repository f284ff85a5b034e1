#include "keeper/guest_socket.h"

#include "base/keeper_protocol.h"
#include "base/sys_file.h"

namespace skerry::keeper {

// What comes from one side goes to the other. They are read from only while there are two.
Connection::Handlers GuestSocket::carry(std::shared_ptr<Connection>& from, std::shared_ptr<Connection>& to) {
  Connection::Handlers handlers;
  handlers.bytes = [&from, &to](std::string_view bytes) {
    if (!to) return;
    to->send(bytes);
    if (to->queued() >= kMaxClientQueue) from->pause();
  };
  handlers.gone = [&to](const std::string&) {
    if (to) to->finish();
  };
  handlers.drained = [&to] {
    if (to) to->resume();
  };
  return handlers;
}

Result<std::unique_ptr<GuestSocket>> GuestSocket::open(EventLoop& loop, const std::string& path, Fd channel) {
  std::unique_ptr<GuestSocket> socket(new GuestSocket(loop));
  auto* self = socket.get();
  self->channel_ =
      TRY(Connection::open(loop, std::move(channel), Direction::kBoth, carry(self->channel_, self->guest_)));
  self->channel_->pause();
  self->listener_ = TRY(Listener::open(loop, path, [self](Fd guest) { self->accept(std::move(guest)); }));
  TRY(sys::chmod(path, 0666));
  return socket;
}

void GuestSocket::close() {
  listener_.reset();
  if (!guest_) channel_->close();
}

void GuestSocket::accept(Fd socket) {
  if (guest_ || channel_->closed()) return;
  auto guest = Connection::open(loop_, std::move(socket), Direction::kBoth, carry(guest_, channel_));
  if (!guest) return;
  guest_ = std::move(*guest);
  channel_->resume();
}

}  // namespace skerry::keeper
