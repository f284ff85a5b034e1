#include <array>

#include "api/connection.h"
#include "api/peer_stream.h"

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
      : core_(core),
        client_(client),
        upgrade_(std::move(upgrade)),
        peer_stream_(upgrade_.peer),
        peer_(core_.io),
        client_done_(core_.io) {}

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
      if (!collect_input(parser, out)) break;
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
    std::string chunk(kReadSize, '\0');
    while (exit_payload_.empty()) {
      const auto [ec, size] = co_await peer_.async_read_some(asio::buffer(chunk), kAwait);
      if (ec) {
        exit_payload_ = peer_stream_.exit_at_end().value_or("");
        if (exit_payload_.empty()) co_return;
        break;
      }
      peer_stream_.feed({chunk.data(), size});
      std::string out;
      if (!collect_output(out)) co_return;
      if (out.empty()) continue;
      const auto [write_error, written] = co_await asio::async_write(client_, asio::buffer(out), kAwait);
      if (write_error) co_return;
    }
    if (upgrade_.settle) co_await settled(core_, upgrade_);
    const std::string last = encode_frame(FrameKind::kExit, 0, exit_payload_);
    co_await asio::async_write(client_, asio::buffer(last), kAwait);
  }

  // Both take the whole frames that are there and append those that may pass to `out`, for the other side. False: the
  // stream is not frames.
  bool collect_input(FrameParser& parser, std::string& out) {
    while (true) {
      const auto next = parser.next();
      if (!next) return false;
      if (!*next) return true;
      const Frame& frame = **next;
      if (frame.session == 0 && client_may_send(frame.kind)) out += peer_stream_.encode(frame.kind, frame.payload);
    }
  }
  bool collect_output(std::string& out) {
    while (true) {
      const auto next = peer_stream_.next();
      if (!next) return false;
      if (!*next) return true;
      const Frame& frame = **next;
      if (frame.kind == FrameKind::kStdout || frame.kind == FrameKind::kStderr) {
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
  PeerStream peer_stream_;
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
