#include "keeper/framed_channel.h"

#include <chrono>
#include <utility>

#include "base/file_io.h"
#include "base/text.h"

namespace skerry::keeper {
namespace {

// What a guest that obeys kPause may have under way when it hears of it: the agent's queue (256 KiB), its port's ring
// (128 buffers of 32 KiB) and the socket. On a busy host it hears late, as it goes on while we read: with that much in
// its client's queue it is not read for a while, once until that queue is empty.
constexpr std::size_t kMostUnderWay = 8U << 20U;
constexpr auto kHearingTime = std::chrono::seconds(1);
// Only a guest that does not obey fills as much again; its client is dropped then.
constexpr std::size_t kMaxPausedQueue = 2 * kMostUnderWay;
constexpr unsigned kAnnouncements = 16;  // in one kRefillTime
constexpr auto kRefillTime = std::chrono::milliseconds(500);

}  // namespace

FramedChannel::FramedChannel(EventLoop& loop, KeeperPaths paths, Handlers handlers)
    : loop_(loop), paths_(std::move(paths)), handlers_(std::move(handlers)), announcements_left_(kAnnouncements) {}

FramedChannel::~FramedChannel() {
  loop_.cancel(refill_);
  loop_.cancel(hearing_);
}

Result<std::unique_ptr<FramedChannel>> FramedChannel::open(EventLoop& loop, const std::string& name, Fd guest,
                                                           KeeperPaths paths, Handlers handlers) {
  std::unique_ptr<FramedChannel> channel(new FramedChannel(loop, std::move(paths), std::move(handlers)));
  auto* self = channel.get();
  FrameConnection::Handlers from;
  from.frame = [self](const Frame& frame) { self->from_guest(frame); };
  from.gone = [self](const std::string& reason) { self->guest_gone(reason); };
  from.drained = [self] { self->resume_clients(); };
  channel->guest_ = TRY(FrameConnection::open(loop, std::move(guest), std::move(from)));
  channel->listener_ = TRY(Listener::open(loop, channel->paths_.channel_socket(name),
                                          [self](Fd socket) { self->accept(std::move(socket)); }));
  return channel;
}

// ── clients ──

void FramedChannel::accept(Fd socket) {
  if (clients_.size() >= kMaxKeeperClients || closed()) return;  // closes it
  const std::uint64_t id = next_client_++;
  FrameConnection::Handlers handlers;
  handlers.frame = [this, id](const Frame& frame) { from_client(id, frame); };
  handlers.gone = [this, id](const std::string&) { drop_client(id); };
  handlers.drained = [this, id] { client_drained(id); };
  auto client = FrameConnection::open(loop_, std::move(socket), std::move(handlers));
  if (!client) return;
  clients_[id] = std::move(*client);
  for (const auto& [kind, payload] : retained_) clients_[id]->send(kind, 0, payload);
}

void FramedChannel::from_client(std::uint64_t id, const Frame& frame) {
  if (frame.session == 0) {
    if (!apply_input(*this, frame)) return drop_client(id);
  } else if (frame.kind == FrameKind::kRequest) {
    open_session(id, frame);
  } else if (const auto session = sessions_.guest_session(id, frame.session)) {
    if (frame.kind == FrameKind::kPause || frame.kind == FrameKind::kResume) {
      Session& state = *sessions_.find(*session);
      state.paused_by_client = frame.kind == FrameKind::kPause;
      if (state.paused_by_keeper) return;  // paused already; resumed when neither wants the pause
    }
    guest_->send(frame.kind, *session, frame.payload);
    if (frame.kind == FrameKind::kClose) sessions_.close(*session);
  }
  // Frames of a session that has just ended are late, not wrong: nothing to do.
  if (guest_->queued() > kCongestedAt) {
    for (const auto& [other, client] : clients_) client->pause();
  }
}

void FramedChannel::open_session(std::uint64_t id, const Frame& frame) {
  const auto session = sessions_.open(id, frame.session);
  if (!session) return drop_client(id);
  guest_->send(FrameKind::kRequest, *session, frame.payload);
}

void FramedChannel::drop_client(std::uint64_t id) {
  for (const auto session : sessions_.of_client(id)) {
    guest_->send(FrameKind::kClose, session, {});
    sessions_.close(session);
  }
  clients_.erase(id);
  waited_for_.erase(id);
}

void FramedChannel::client_drained(std::uint64_t id) {
  waited_for_.erase(id);
  for (const auto number : sessions_.of_client(id)) {
    Session& session = *sessions_.find(number);
    if (!session.paused_by_keeper) continue;
    session.paused_by_keeper = false;
    if (!session.paused_by_client) guest_->send(FrameKind::kResume, number, {});
  }
}

void FramedChannel::resume_clients() {
  for (const auto& [id, client] : clients_) client->resume();
  handlers_.uncongested();
}

void FramedChannel::let_guest_hear() {
  if (hearing_ != 0) return;
  guest_->pause();
  hearing_ = loop_.after(kHearingTime, [this] {
    hearing_ = 0;
    guest_->resume();
  });
}

void FramedChannel::to_client(std::uint64_t id, FrameKind kind, std::uint32_t session, std::string_view payload) {
  const auto found = clients_.find(id);
  if (found == clients_.end()) return;
  found->second->send(kind, session, payload);
  if (found->second->queued() > kMaxPausedQueue) return drop_client(id);
  if (found->second->queued() > kMostUnderWay && waited_for_.insert(id).second) let_guest_hear();
  if (found->second->queued() <= kCongestedAt) return;
  for (const auto number : sessions_.of_client(id)) {
    Session& state = *sessions_.find(number);
    if (!state.paused_by_keeper && !state.paused_by_client) guest_->send(FrameKind::kPause, number, {});
    state.paused_by_keeper = true;
  }
}

// ── the guest ──

void FramedChannel::from_guest(const Frame& frame) {
  if (frame.session == 0) {
    workload_frame(frame);
  } else {
    session_frame(frame);
  }
}

void FramedChannel::workload_frame(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kStdout: return handlers_.output(LogStream::kStdout, frame.payload);
    case FrameKind::kStderr: return handlers_.output(LogStream::kStderr, frame.payload);
    case FrameKind::kReady:
    case FrameKind::kEvent: return announce(frame);
    case FrameKind::kExit:
      if (const auto code = decode_u32(frame.payload)) {
        handlers_.workload_exited(static_cast<int>(*code & 0xFFU), (*code & kExitOutOfMemory) != 0);
      }
      return;
    case FrameKind::kPause: stdin_paused_ = true; return;
    case FrameKind::kResume:
      stdin_paused_ = false;
      if (!congested()) resume_clients();
      return;
    default: return;  // of no meaning on session 0: ignored, as a newer agent's
  }
}

void FramedChannel::session_frame(const Frame& frame) {
  const Session* session = sessions_.find(frame.session);
  if (session == nullptr) return;  // its client has gone meanwhile
  const std::uint64_t client = session->client;
  const std::uint32_t local = session->local;
  if (frame.kind == FrameKind::kExit || frame.kind == FrameKind::kClose) sessions_.close(frame.session);
  to_client(client, frame.kind, local, frame.payload);
}

void FramedChannel::announce(const Frame& frame) {
  if (refill_ == 0) {
    refill_ = loop_.after(kRefillTime, [this] { tell_pending(); });
  }
  if (announcements_left_ == 0) {
    pending_[frame.kind] = frame.payload;
    return;
  }
  --announcements_left_;
  tell_all(frame.kind, frame.payload);
}

void FramedChannel::tell_pending() {
  refill_ = 0;
  announcements_left_ = kAnnouncements;
  const auto pending = std::exchange(pending_, {});
  for (const auto& [kind, payload] : pending) tell_all(kind, payload);
}

void FramedChannel::tell_all(FrameKind kind, const std::string& payload) {
  retained_[kind] = payload;
  const auto path = kind == FrameKind::kReady ? paths_.ready() : paths_.event();
  // A full disk must not stop the guest; the connected clients get it anyway.
  static_cast<void>(write_file_atomic(path, payload, 0600));
  std::vector<std::uint64_t> ids;
  ids.reserve(clients_.size());
  for (const auto& [id, client] : clients_) ids.push_back(id);
  for (const auto id : ids) to_client(id, kind, 0, payload);
}

void FramedChannel::guest_gone(const std::string& reason) {
  loop_.cancel(refill_);
  loop_.cancel(hearing_);
  tell_pending();
  if (!reason.empty()) static_cast<void>(write_file_atomic(paths_.channel_error(), reason + "\n", 0600));
  clients_.clear();
  listener_.reset();
  handlers_.closed(reason);
}

// ── the workload ──

void FramedChannel::write_stdin(std::string_view bytes) { guest_->send(FrameKind::kStdin, 0, bytes); }
void FramedChannel::end_stdin() { guest_->send(FrameKind::kStdinEof, 0, {}); }
void FramedChannel::resize(TerminalSize size) { guest_->send(FrameKind::kResize, 0, encode_size(size)); }
void FramedChannel::signal(int signal_number) {
  guest_->send(FrameKind::kSignal, 0, encode_u32(static_cast<std::uint32_t>(signal_number)));
}
bool FramedChannel::congested() const { return stdin_paused_ || guest_->queued() > kCongestedAt; }

}  // namespace skerry::keeper
