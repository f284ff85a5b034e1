#include "keeper/byte_channel.h"

#include "keeper/workload_input.h"

namespace skerry::keeper {

Result<std::unique_ptr<ByteChannel>> ByteChannel::open(EventLoop& loop, const std::string& socket_path, Fd process,
                                                       ChannelMode mode, std::optional<RotatingFile> log,
                                                       std::function<void()> closed) {
  std::unique_ptr<ByteChannel> channel(new ByteChannel(loop, mode, std::move(log)));
  auto* self = channel.get();
  Connection::Handlers handlers;
  handlers.bytes = [self](std::string_view bytes) { self->from_process(bytes); };
  handlers.gone = [self, closed = std::move(closed)](const std::string&) {
    self->clients_.clear();
    self->listener_.reset();
    closed();
  };
  handlers.drained = [self] {
    for (const auto& [id, client] : self->clients_) client->resume();
  };
  channel->process_ = TRY(Connection::open(loop, std::move(process), Direction::kBoth, std::move(handlers)));
  channel->listener_ = TRY(Listener::open(loop, socket_path, [self](Fd socket) { self->accept(std::move(socket)); }));
  return channel;
}

void ByteChannel::accept(Fd socket) {
  if (clients_.size() >= kMaxKeeperClients) return;  // closes it
  const std::uint64_t id = next_id_++;
  Connection::Handlers handlers;
  handlers.bytes = [this](std::string_view bytes) { from_client(bytes); };
  handlers.gone = [this, id](const std::string&) { drop_client(id); };
  auto client = Connection::open(loop_, std::move(socket), Direction::kBoth, std::move(handlers));
  if (!client) return;
  (*client)->send(backlog_.content());
  clients_[id] = std::move(*client);
  if (mode_ == ChannelMode::kRaw) {
    backlog_.clear();
    listener_->pause();
  }
}

void ByteChannel::from_client(std::string_view bytes) {
  process_->send(bytes);
  if (process_->queued() <= kCongestedAt) return;
  for (const auto& [id, client] : clients_) client->pause();
}

void ByteChannel::from_process(std::string_view bytes) {
  // The console's own log is a convenience: without room it has a gap.
  if (log_) static_cast<void>(log_->append(bytes));
  if (mode_ == ChannelMode::kConsole || clients_.empty()) backlog_.append(bytes);
  std::vector<std::uint64_t> slow;
  for (const auto& [id, client] : clients_) {
    client->send(bytes);
    if (client->queued() > kMaxClientQueue) slow.push_back(id);
  }
  for (const auto id : slow) drop_client(id);
}

void ByteChannel::drop_client(std::uint64_t id) {
  clients_.erase(id);
  if (mode_ == ChannelMode::kRaw) listener_->resume();
}

}  // namespace skerry::keeper
