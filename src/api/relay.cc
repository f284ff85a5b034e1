#include <array>

#include "api/connection.h"
#include "base/frame.h"

namespace skerry::api {
namespace {

constexpr std::size_t kReadSize = 64U << 10U;

bool client_may_send(FrameKind kind) {
  return kind == FrameKind::kStdin || kind == FrameKind::kStdinEof || kind == FrameKind::kResize ||
         kind == FrameKind::kSignal || kind == FrameKind::kClose;
}

// Both directions of one conversation. Each reads only when its last write is done: whoever is slow slows the other.
class Relay {
 public:
  Relay(Core& core, Stream& client, Upgrade upgrade)
      : core_(core), client_(client), upgrade_(std::move(upgrade)), peer_(core_.io), client_done_(core_.io) {}

  asio::awaitable<void> run(std::string early) {
    beast::error_code ec;
    peer_.assign(asio::local::stream_protocol(), upgrade_.peer.socket.release(), ec);
    if (ec) co_return;
    client_.expires_never();
    client_done_.expires_at(asio::steady_timer::time_point::max());
    asio::co_spawn(core_.io, upward(std::move(early)), [this](const std::exception_ptr&) {
      upward_ended_ = true;
      client_done_.cancel();
    });
    co_await downward();
    // The other direction reads from the client: end that, and wait until it is out of here.
    client_.socket().shutdown(asio::socket_base::shutdown_both, ec);
    client_.cancel();
    if (!upward_ended_) co_await client_done_.async_wait(kAwait);
  }

 private:
  // client → peer
  asio::awaitable<void> upward(std::string early) {
    FrameParser parser;
    parser.feed(early);
    std::array<char, 16384> chunk;
    // The peer may take no more input (it has ended) and still have output on its way: then input is only dropped.
    bool peer_listens = true;
    while (true) {
      std::string out;
      if (!collect(parser, 0, out, true)) break;
      if (!out.empty() && peer_listens) {
        const auto [ec, size] = co_await asio::async_write(peer_, asio::buffer(out), kAwait);
        peer_listens = !ec;
      }
      const auto [ec, size] = co_await client_.async_read_some(asio::buffer(chunk), kAwait);
      if (ec) break;
      parser.feed({chunk.data(), size});
    }
    // The client hung up (or talks nonsense): so do we.
    beast::error_code ignored;
    peer_.shutdown(asio::socket_base::shutdown_both, ignored);
  }

  // peer → client
  asio::awaitable<void> downward() {
    FrameParser parser;
    std::string chunk(kReadSize, '\0');
    while (exit_payload_.empty()) {
      const auto [ec, size] = co_await peer_.async_read_some(asio::buffer(chunk), kAwait);
      if (ec) co_return;
      parser.feed({chunk.data(), size});
      std::string out;
      if (!collect(parser, upgrade_.peer.session, out, false)) co_return;
      if (out.empty()) continue;
      const auto [write_error, written] = co_await asio::async_write(client_, asio::buffer(out), kAwait);
      if (write_error) co_return;
    }
    if (upgrade_.settle) co_await settled(core_, upgrade_);
    const std::string last = encode_frame(FrameKind::kExit, 0, exit_payload_);
    co_await asio::async_write(client_, asio::buffer(last), kAwait);
  }

  // Takes the whole frames of `session` from the parser and appends those that may pass to `out`, renumbered for the
  // other side. False: the stream is not frames.
  bool collect(FrameParser& parser, std::uint32_t session, std::string& out, bool from_client) {
    while (true) {
      const auto next = parser.next();
      if (!next) return false;
      if (!*next) return true;
      const Frame& frame = **next;
      if (frame.session != session) continue;
      if (from_client) {
        if (client_may_send(frame.kind)) out += encode_frame(frame.kind, upgrade_.peer.session, frame.payload);
      } else if (frame.kind == FrameKind::kStdout || frame.kind == FrameKind::kStderr) {
        out += encode_frame(frame.kind, 0, frame.payload);
      } else if (frame.kind == FrameKind::kExit) {
        exit_payload_ = frame.payload;
        return true;
      }
    }
  }

  Core& core_;
  Stream& client_;
  Upgrade upgrade_;
  asio::local::stream_protocol::socket peer_;
  asio::steady_timer client_done_;
  bool upward_ended_ = false;
  std::string exit_payload_;  // kExit's, never empty once it came
};

}  // namespace

asio::awaitable<void> relay_frames(Core& core, Stream& stream, std::string early, Upgrade upgrade) {
  Relay relay(core, stream, std::move(upgrade));
  co_await relay.run(std::move(early));
}

}  // namespace skerry::api
