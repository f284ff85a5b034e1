// The console over a WebSocket, spoken by Beast's own client.
#include <boost/asio/io_context.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/websocket.hpp>

#include "api/api_testing.h"
#include "api/asio.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

namespace websocket = beast::websocket;

class ConsoleTest : public ApiTest {
 protected:
  using Socket = websocket::stream<asio::local::stream_protocol::socket>;
  void SetUp() override {
    ApiTest::SetUp();
    Environment terminal;
    terminal.id = "0123456789abcdef";
    terminal.spec.name = "tty";
    terminal.spec.image = "localhost/base:1";
    terminal.spec.terminal = true;
    terminal.status.state = State::kRunning;
    controller_.add(terminal);
    serve();
  }
  std::unique_ptr<Socket> connect(const std::string& name, const std::string& role = "operator",
                                  const std::string& query = "") {
    auto socket = std::make_unique<Socket>(io_);
    socket->next_layer().connect(asio::local::stream_protocol::endpoint(config_.socket_path));
    socket->set_option(websocket::stream_base::decorator(
        [role](websocket::request_type& request) { request.set("Skerry-Role", role); }));
    websocket::response_type answer;
    beast::error_code ec;
    socket->handshake(answer, "localhost", cat("/api/v1/environments/", name, "/console", query), ec);
    status_ = answer.result_int();
    return socket;
  }
  static std::string read(Socket& socket, beast::error_code& ec) {
    beast::flat_buffer buffer;
    socket.read(buffer, ec);
    return beast::buffers_to_string(buffer.data());
  }
  // Until `text` has come.
  static std::string read_until(Socket& socket, std::string_view text) {
    std::string all;
    beast::error_code ec;
    while (!ec && all.find(text) == std::string::npos) all += read(socket, ec);
    return all;
  }

  asio::io_context io_;
  unsigned status_ = 0;
};

TEST_F(ConsoleTest, IsInTheAuditTrail) {
  auto socket = connect("tty");
  ASSERT_EQ(status_, 101U);
  const auto trail = read_file(config_.audit_path).value();
  EXPECT_NE(trail.find("GET /api/v1/environments/tty/console"), std::string::npos) << trail;
}

TEST_F(ConsoleTest, WhatIsTypedComesBack) {
  auto socket = connect("tty");
  ASSERT_EQ(status_, 101U);
  socket->binary(true);
  socket->write(asio::buffer(std::string("hello\n")));
  EXPECT_NE(read_until(*socket, "hello").find("hello"), std::string::npos);
  EXPECT_TRUE(socket->got_binary());
  socket->text(true);
  socket->write(asio::buffer(std::string(R"({"columns":100,"rows":30})")));
  socket->binary(true);
  const std::string large(60'000, 'x');
  socket->write(asio::buffer(large + "END"));
  EXPECT_GE(read_until(*socket, "END").size(), large.size());
  socket->close(websocket::close_code::normal);
  EXPECT_EQ(client().call("GET", "/healthz")->status, 200);
}

TEST_F(ConsoleTest, NonsenseEndsIt) {
  for (const std::string message :
       {"{", R"({"columns":0,"rows":1})", R"({"columns":80})", R"({"columns":80,"rows":70000})"}) {
    auto socket = connect("tty");
    ASSERT_EQ(status_, 101U);
    socket->text(true);
    socket->write(asio::buffer(message));
    beast::error_code ec;
    while (!ec) read(*socket, ec);
    EXPECT_EQ(ec, websocket::error::closed) << message << ec.message();
    EXPECT_EQ(socket->reason().code, websocket::close_code::bad_payload);
  }
  auto socket = connect("tty");
  socket->binary(true);
  beast::error_code ec;
  socket->write(asio::buffer(std::string(200'000, 'x')), ec);
  while (!ec) read(*socket, ec);
  EXPECT_EQ(client().call("GET", "/healthz")->status, 200);
}

TEST_F(ConsoleTest, FramesBeforeItIsOpenAreRefusedNotLost) {
  const std::string request =
      "GET /api/v1/environments/tty/console HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: "
      "Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
  auto patient = raw();
  patient.send(request);
  EXPECT_TRUE(patient.read_until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
  auto hasty = raw();
  // A masked frame of text, cut in the middle.
  hasty.send(request + "\x81\x84mask{");
  const auto answer = hasty.read_until("open");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << answer;
  EXPECT_NE(answer.find("before the WebSocket was open"), std::string::npos) << answer;
}

TEST_F(ConsoleTest, ASerialLineIsBytesAsTheyAre) {
  add_running("guest", Isolation::kMicrovm);
  connect("guest");
  EXPECT_EQ(status_, 409U);  // its workload has no terminal
  connect("tty", "operator", "?serial");
  EXPECT_EQ(status_, 501U);  // a container has no line
  auto socket = connect("guest", "operator", "?serial");
  ASSERT_EQ(status_, 101U);
  socket->text(true);
  socket->write(asio::buffer(std::string(R"({"columns":100,"rows":30})")));
  socket->binary(true);
  socket->write(asio::buffer(std::string("\x03 uptime\n")));
  EXPECT_EQ(read_until(*socket, "\n"), "\x03 uptime\n");
  socket->write(asio::buffer(std::string("poweroff\n")));
  EXPECT_EQ(read_until(*socket, "}"), R"({"exit_code":0})");
  EXPECT_TRUE(socket->got_text());
  beast::error_code ec;
  while (!ec) read(*socket, ec);
  EXPECT_EQ(socket->reason().code, websocket::close_code::normal);
}

TEST_F(ConsoleTest, WhoMayAndWhatHasOne) {
  connect("tty", "viewer");
  EXPECT_EQ(status_, 403U);
  connect("none");
  EXPECT_EQ(status_, 404U);
  add_running("plain");
  connect("plain");
  EXPECT_EQ(status_, 409U);
  EXPECT_EQ(client().call("GET", "/api/v1/environments/tty/console")->status, 400);
}

}  // namespace
}  // namespace skerry::api::testing
