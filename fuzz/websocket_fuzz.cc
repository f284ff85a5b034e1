// A console over a WebSocket: a client's request and frames, and what the process behind it says, both hostile.
//
// To the client go valid frames only, to the process only whole ones of its session, and nothing is left over when both
// have gone. The input: the request with its empty line, then a byte of settings and the steps of conversation.h.
// Links: api
#include <array>
#include <boost/beast/websocket/rfc6455.hpp>

#include "api/connection.h"
#include "base/frame.h"
#include "conversation.h"

namespace {

using namespace skerry;
using api::asio::local::stream_protocol;
using fuzz::demand;

constexpr std::uint32_t kSession = 7;
constexpr std::size_t kMaxHeader = 8U << 10U;  // of api/connection.cc

using Request = api::http::request<api::http::string_body>;

// As a session reads it. nullopt: it gets no WebSocket.
std::optional<Request> parse_request(std::string_view text) {
  api::http::request_parser<api::http::string_body> parser;
  parser.header_limit(kMaxHeader);
  api::beast::error_code ec;
  parser.put(api::asio::buffer(text), ec);
  if (ec || !parser.is_done()) return std::nullopt;
  Request request = parser.release();
  if (!api::beast::websocket::is_upgrade(request)) return std::nullopt;
  return request;
}

// A frame as clients send it (RFC 6455 section 5.2).
std::string client_frame(std::uint8_t first, std::string_view payload) {
  static constexpr std::array<char, 4> kMask{'\x37', '\xfa', '\x21', '\x3d'};
  std::string frame(1, static_cast<char>(first));
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80U | payload.size());
  } else {
    frame += '\xfe';
    frame += static_cast<char>(payload.size() >> 8U);
    frame += static_cast<char>(payload.size() & 0xffU);
  }
  frame.append(kMask.data(), kMask.size());
  for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ kMask.at(i % kMask.size()));
  return frame;
}

// What the server has said to the client: an answer of HTTP and, behind a 101, frames up to a last one that closes.
class Heard {
 public:
  void check(std::string_view said) {
    const auto end = said.find("\r\n\r\n");
    if (end == std::string_view::npos) return;
    demand(said.starts_with("HTTP/1.1 "));
    if (!said.starts_with("HTTP/1.1 101 ")) return;
    said.remove_prefix(end + 4);
    while (take_frame(said)) {
    }
  }
  std::size_t binary = 0;  // bytes of messages

 private:
  static std::uint64_t number(std::string_view bytes) {
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8U | static_cast<std::uint8_t>(byte);
    return value;
  }
  // False: it is not there as a whole.
  bool take_frame(std::string_view& rest) {
    if (rest.size() < 2) return false;
    demand(!closed_);
    const auto first = static_cast<std::uint8_t>(rest[0]);
    const auto second = static_cast<std::uint8_t>(rest[1]);
    demand((first & 0x70U) == 0);  // no extension was agreed on
    demand(second < 0x80U);        // a server masks nothing
    const std::size_t wide = second == 126 ? 2 : second == 127 ? 8 : 0;
    if (rest.size() < 2 + wide) return false;
    const auto size = wide == 0 ? second : number(rest.substr(2, wide));
    if (rest.size() - 2 - wide < size) return false;
    see(first, rest.substr(2 + wide, size));
    rest.remove_prefix(2 + wide + size);
    return true;
  }
  void see(std::uint8_t first, std::string_view payload) {
    const unsigned code = first & 0x0fU;
    if (code >= 8) return see_control(first, payload);
    demand(code <= 2 && (code == 0) == in_message_);
    if (code != 0) is_text_ = code == 1;
    in_message_ = (first & 0x80U) == 0;
    if (is_text_) {
      demand(payload.starts_with("{\"exit_code\":"));
    } else {
      binary += payload.size();
    }
  }
  void see_control(std::uint8_t first, std::string_view payload) {
    demand((first & 0x80U) != 0 && payload.size() <= 125);
    const unsigned code = first & 0x0fU;
    demand(code >= 8 && code <= 10);
    if (code != 8) return;
    closed_ = true;
    demand(payload.size() != 1);
    if (payload.size() < 2) return;
    const auto reason = number(payload.substr(0, 2));
    // Above 4999 nothing is specified (RFC 6455 section 7.4.2); Beast says back what a client closes with.
    demand(reason >= 1000 && reason != 1005 && reason != 1006);
  }

  bool in_message_ = false;
  bool is_text_ = false;
  bool closed_ = false;
};

class Talk {
 public:
  Talk(Request request, std::uint8_t settings) : plain_((settings & 1U) != 0), request_(std::move(request)) {
    stream_protocol::socket socket(server_.io(), stream_protocol(), client_.take_other().release());
    stream_.emplace(api::Stream::socket_type(std::move(socket)));
    api::Upgrade upgrade{Conversation{process_.take_other(), kSession, plain_}, {}, api::Upgrade::Form::kWebSocket};
    server_.start(api::relay_websocket(server_.io(), *stream_, request_, id_, std::move(upgrade)));
    settle();
  }

  void run(const fuzz::Script::Step& step) {
    const std::uint8_t first = step.bytes.empty() ? 0 : static_cast<std::uint8_t>(step.bytes[0]);
    const std::string_view rest = std::string_view(step.bytes).substr(step.bytes.empty() ? 0 : 1);
    switch (step.what % 8) {
      case 0: return say(step.bytes);
      case 1: return say(client_frame(0x81, step.bytes));
      case 2: return say(client_frame(0x82, step.bytes));
      case 3: return say(client_frame(first, rest));
      case 4: return answer(step.bytes);
      // Also kinds that there are not: NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange)
      case 5: return answer(encode_frame(static_cast<FrameKind>(first), kSession, rest));
      case 6: process_.close(); return settle();
      default: client_.say_no_more(); return settle();
    }
  }

  void end() {
    client_.close();
    settle();
    process_.close();
    settle();
    demand(server_.has_ended());
    Heard heard;
    heard.check(to_client_);
    demand(heard.binary <= answered_);
    demand(!plain_ || to_process_.size() <= said_);
    if (!plain_) check_frames();
  }

 private:
  void say(std::string_view bytes) {
    if (client_.is_open()) said_ += server_.send(client_, bytes, [this] { return receive(); });
  }
  void answer(std::string_view bytes) {
    if (process_.is_open()) answered_ += server_.send(process_, bytes, [this] { return receive(); });
  }
  void settle() {
    server_.settle([this] { return receive(); });
  }
  bool receive() {
    const auto to_client = client_.receive();
    const auto to_process = process_.receive();
    to_client_ += to_client;
    to_process_ += to_process;
    return !to_client.empty() || !to_process.empty();
  }
  void check_frames() {
    FrameParser frames;
    frames.feed(to_process_);
    while (true) {
      const auto frame = frames.next();
      demand(frame.has_value());
      if (!*frame) return;
      demand((*frame)->session == kSession);
      if ((*frame)->kind == FrameKind::kStdin) continue;
      demand((*frame)->kind == FrameKind::kResize);
      const auto size = decode_size((*frame)->payload);
      demand(size && size->columns > 0 && size->rows > 0);
    }
  }

  bool plain_;
  // The coroutine refers to both.
  Request request_;
  std::string id_ = "id";
  fuzz::Side client_;
  fuzz::Side process_;
  std::string to_client_;
  std::string to_process_;
  std::size_t said_ = 0;
  std::size_t answered_ = 0;
  fuzz::Server server_;
  std::optional<api::Stream> stream_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto end = text.find("\r\n\r\n");
  if (end == std::string_view::npos || text.size() == end + 4) return 0;
  auto request = parse_request(text.substr(0, end + 4));
  if (!request) return 0;
  Talk talk(std::move(*request), static_cast<std::uint8_t>(text[end + 4]));
  fuzz::Script script(text.substr(end + 5));
  while (const auto step = script.next()) talk.run(*step);
  talk.end();
  return 0;
}
