#include "keeper/attach_server.h"

#include <algorithm>

#include "base/keeper_protocol.h"

namespace skerry::keeper {

Result<std::unique_ptr<AttachServer>> AttachServer::open(EventLoop& loop, const std::string& path,
                                                         WorkloadInput& input) {
  std::unique_ptr<AttachServer> server(new AttachServer(loop, input));
  server->listener_ =
      TRY(Listener::open(loop, path, [raw = server.get()](Fd socket) { raw->accept(std::move(socket)); }));
  return server;
}

void AttachServer::accept(Fd socket) {
  if (clients_.size() >= kMaxKeeperClients) return;  // closes it
  const std::uint64_t id = next_id_++;
  FrameConnection::Handlers handlers;
  handlers.frame = [this, id](const Frame& frame) { on_frame(id, frame); };
  handlers.gone = [this, id](const std::string&) { clients_.erase(id); };
  auto client = FrameConnection::open(loop_, std::move(socket), std::move(handlers));
  if (client) clients_[id] = std::move(*client);
}

void AttachServer::on_frame(std::uint64_t id, const Frame& frame) {
  if (ended_) return;
  if (!apply_input(input_, frame)) {
    clients_.erase(id);
    return;
  }
  if (input_.congested()) {
    for (const auto& [other, client] : clients_) client->pause();
  }
}

void AttachServer::resume_clients() {
  for (const auto& [id, client] : clients_) client->resume();
}

void AttachServer::broadcast(LogStream stream, std::string_view bytes) {
  send_all(stream == LogStream::kStdout ? FrameKind::kStdout : FrameKind::kStderr, bytes);
}

void AttachServer::broadcast_exit(int shell_code) {
  ended_ = true;
  send_all(FrameKind::kExit, encode_u32(static_cast<std::uint32_t>(shell_code)));
}

void AttachServer::send_all(FrameKind kind, std::string_view payload) {
  for (auto at = clients_.begin(); at != clients_.end();) {
    at->second->send(kind, 0, payload);
    at = at->second->queued() > kMaxClientQueue ? clients_.erase(at) : std::next(at);
  }
}

bool AttachServer::flushed() const {
  return std::ranges::all_of(clients_, [](const auto& entry) { return entry.second->queued() == 0; });
}

}  // namespace skerry::keeper
