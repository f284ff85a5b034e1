// A conversation over a WebSocket (RFC 6455): a terminal for browsers and other clients that have one.
//
//   client ──binary: what is typed──────────────▶     ──text: {"columns":80,"rows":24}──▶
//   client ◀──binary: what is written────────────     ◀──text: {"exit_code":0}, then close 1000
//
// Both output streams come as one. A message that is neither ends the conversation with 1003 or 1007, one that is too
// large with 1009. A client that is silent is asked every half minute whether it lives.
#include <boost/beast/websocket.hpp>

#include "api/connection.h"
#include "api/peer_stream.h"
#include "base/text.h"
#include "wire/json_node.h"

namespace skerry::api {
namespace {

namespace websocket = beast::websocket;

constexpr std::size_t kMaxMessage = 64U << 10U;
constexpr std::size_t kReadSize = 64U << 10U;

class Talk {
 public:
  Talk(asio::io_context& io, Stream& client, Upgrade upgrade)
      : io_(io),
        socket_(client),
        upgrade_(std::move(upgrade)),
        peer_stream_(upgrade_.peer),
        peer_(io),
        client_done_(io) {}

  asio::awaitable<void> run(const http::request<http::string_body>& request, const std::string& id) {
    beast::error_code ec;
    peer_.assign(asio::local::stream_protocol(), upgrade_.peer.socket.release(), ec);
    if (ec) co_return;
    socket_.next_layer().expires_never();
    socket_.set_option(websocket::stream_base::timeout{std::chrono::seconds(10), std::chrono::seconds(60), true});
    socket_.set_option(websocket::stream_base::decorator(
        [id](websocket::response_type& response) { response.set("X-Request-Id", id); }));
    socket_.read_message_max(kMaxMessage);
    const auto [refused] = co_await socket_.async_accept(request, kAwait);
    if (refused) co_return;
    client_done_.expires_at(asio::steady_timer::time_point::max());
    asio::co_spawn(io_, upward(), [this](const std::exception_ptr&) {
      upward_ended_ = true;
      client_done_.cancel();
    });
    co_await downward();
    co_await goodbye();
    if (!upward_ended_) co_await client_done_.async_wait(kAwait);
  }

 private:
  // client → peer
  asio::awaitable<void> upward() {
    beast::flat_buffer buffer;
    while (true) {
      const auto [ec, size] = co_await socket_.async_read(buffer, kAwait);
      if (ec) break;
      const auto data = buffer.data();
      const auto frame = frame_of({static_cast<const char*>(data.data()), data.size()});
      buffer.clear();
      if (!frame) {
        reason_ = websocket::close_code::bad_payload;
        break;
      }
      // The peer may take no more input and still have output on its way: then it is only dropped.
      static_cast<void>(co_await asio::async_write(peer_, asio::buffer(*frame), kAwait));
    }
    beast::error_code ignored;
    peer_.shutdown(asio::socket_base::shutdown_both, ignored);
  }

  std::optional<std::string> frame_of(std::string_view message) {
    if (socket_.got_binary()) return peer_stream_.encode(FrameKind::kStdin, message);
    const auto json = wire::JsonNode::parse(message, "message", kMaxMessage);
    const auto columns = json ? json->integer("columns") : 0;
    const auto rows = json ? json->integer("rows") : 0;
    if (columns < 1 || columns > UINT16_MAX || rows < 1 || rows > UINT16_MAX) return std::nullopt;
    const TerminalSize size{static_cast<std::uint16_t>(columns), static_cast<std::uint16_t>(rows)};
    return peer_stream_.encode(FrameKind::kResize, encode_size(size));
  }

  // peer → client
  asio::awaitable<void> downward() {
    std::string chunk(kReadSize, '\0');
    while (true) {
      const auto [ec, size] = co_await peer_.async_read_some(asio::buffer(chunk), kAwait);
      if (ec) {
        // A line of bytes ends without a frame that says so.
        if (const auto ended = peer_stream_.exit_at_end()) exit_code_ = decode_u32(*ended).value_or(0);
        if (exit_code_) co_await write(cat("{\"exit_code\":", *exit_code_, "}"), false);
        co_return;
      }
      peer_stream_.feed({chunk.data(), size});
      std::string out;
      const bool goes_on = collect(out);
      if (!out.empty() && !co_await write(out, true)) co_return;
      if (goes_on) continue;
      if (exit_code_) co_await write(cat("{\"exit_code\":", *exit_code_, "}"), false);
      co_return;
    }
  }

  // Appends what was written. False: it has ended, or talks nonsense.
  bool collect(std::string& out) {
    while (true) {
      const auto next = peer_stream_.next();
      if (!next) return false;
      if (!*next) return true;
      const Frame& frame = **next;
      if (frame.kind == FrameKind::kStdout || frame.kind == FrameKind::kStderr) out += frame.payload;
      if (frame.kind != FrameKind::kExit) continue;
      exit_code_ = decode_u32(frame.payload).value_or(0) & 0xffU;
      return false;
    }
  }

  asio::awaitable<bool> write(std::string_view bytes, bool binary) {
    socket_.binary(binary);
    const auto [ec, size] = co_await socket_.async_write(asio::buffer(bytes), kAwait);
    co_return !ec;
  }

  asio::awaitable<void> goodbye() {
    if (!socket_.is_open()) co_return;
    co_await socket_.async_close(reason_, kAwait);
  }

  asio::io_context& io_;
  websocket::stream<Stream&> socket_;
  Upgrade upgrade_;
  PeerStream peer_stream_;
  asio::local::stream_protocol::socket peer_;
  asio::steady_timer client_done_;
  bool upward_ended_ = false;
  websocket::close_code reason_ = websocket::close_code::normal;
  std::optional<std::uint32_t> exit_code_;
};

}  // namespace

asio::awaitable<void> relay_websocket(asio::io_context& io, Stream& stream,
                                      const http::request<http::string_body>& request, const std::string& id,
                                      Upgrade upgrade) {
  Talk talk(io, stream, std::move(upgrade));
  co_await talk.run(request, id);
}

}  // namespace skerry::api
