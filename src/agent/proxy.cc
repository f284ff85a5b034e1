#include "agent/proxy.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "agent/dial_session.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

Result<Fd> listen_on(std::uint16_t port) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return fail_errno("socket");
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    return fail_errno(cat("proxy: bind port ", port));
  }
  if (::listen(listener.get(), 128) < 0) return fail_errno("proxy: listen");
  return listener;
}

}  // namespace

Result<std::unique_ptr<Proxy>> Proxy::open(EventLoop& loop, HttpUrl target, std::uint16_t port) {
  if (target.port == port) return fail(ErrorCode::kConflict, cat("the workload serves on port ", port, " itself"));
  std::unique_ptr<Proxy> proxy(new Proxy(loop, std::move(target), TRY(listen_on(port))));
  TRY(loop.watch(proxy->listener_.get(), EPOLLIN, [raw = proxy.get()](std::uint32_t) { raw->accept(); }));
  return proxy;
}

Proxy::~Proxy() { loop_.forget(listener_.get()); }

void Proxy::accept() {
  Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client || relays_.size() >= kMostConnections) return;
  auto server = start_connect({target_.host, target_.port, {}});
  if (!server) return;
  Relay::Rewrite rewrite;
  if (target_.path != "/") {
    rewrite = [prefix = target_.path](std::string_view bytes) { return rewrite_request(bytes, prefix); };
  }
  const std::uint64_t id = next_++;
  auto relay = std::make_unique<Relay>(loop_, std::move(client), std::move(*server), std::move(rewrite),
                                       [this, id] { relays_.erase(id); });
  if (relay->open()) relays_[id] = std::move(relay);
}

}  // namespace skerry::agent
