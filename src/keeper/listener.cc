#include "keeper/listener.h"

#include <cerrno>

#include "base/sys_file.h"
#include "base/unix_socket.h"

namespace skerry::keeper {

Result<std::unique_ptr<Listener>> Listener::open(EventLoop& loop, std::string path, Accepted accepted) {
  Fd fd = TRY(unix_listen(path, 0600));
  TRY(sys::set_nonblocking(fd.get()));
  std::unique_ptr<Listener> listener(new Listener(loop, std::move(path), std::move(fd), std::move(accepted)));
  listener->resume();
  return listener;
}

Listener::~Listener() {
  loop_.cancel(retry_);
  loop_.forget(fd_.get());
  static_cast<void>(sys::unlink(path_));
}

void Listener::pause() { loop_.forget(fd_.get()); }

void Listener::resume() {
  if (loop_.watches(fd_.get())) return;
  static_cast<void>(loop_.watch(fd_.get(), EPOLLIN, [this](std::uint32_t) { on_client(); }));
}

void Listener::on_client() {
  auto client = unix_accept(fd_.get());
  if (client) return accepted_(std::move(*client));
  if (client.error().sys_errno == EAGAIN) return;
  // Out of descriptors: the waiting client would wake us for ever. Look again in a while.
  pause();
  loop_.cancel(retry_);
  retry_ = loop_.after(std::chrono::seconds(1), [this] { resume(); });
}

}  // namespace skerry::keeper
