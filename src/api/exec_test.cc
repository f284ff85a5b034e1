// Conversations in frames through the server, and commands run to their end.
#include <thread>

#include "api/api_testing.h"
#include "api/exec_calls.h"
#include "base/frame.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

class ExecTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    add_running("web");
    serve();
  }
  Result<cli::FrameChannel> start(const std::string& command) {
    return client().upgrade("/api/v1/environments/web/exec", cat(R"({"command":)", command, "}"));
  }
};

struct Heard {
  std::string out;
  std::string err;
  std::optional<std::uint32_t> exit_code;
  std::size_t frames = 0;
};

// All frames up to the end of the conversation.
Heard listen(cli::FrameChannel& channel) {
  Heard heard;
  while (auto frame = read_frame(channel.socket.get(), channel.parser)) {
    if (!*frame) break;
    ++heard.frames;
    EXPECT_EQ((*frame)->session, 0U);
    if ((*frame)->kind == FrameKind::kStdout) heard.out += (*frame)->payload;
    if ((*frame)->kind == FrameKind::kStderr) heard.err += (*frame)->payload;
    if ((*frame)->kind == FrameKind::kExit) heard.exit_code = decode_u32((*frame)->payload).value();
  }
  return heard;
}

TEST_F(ExecTest, RelaysOutputAndExitCodeAndDropsForeignFrames) {
  auto channel = start(R"(["exit","7"])");
  ASSERT_TRUE(channel) << channel.error().message();
  const auto heard = listen(*channel);
  EXPECT_EQ(heard.out, "out\n");
  EXPECT_EQ(heard.err, "err\n");
  EXPECT_EQ(heard.exit_code, 7U);
  EXPECT_EQ(heard.frames, 3U) << "foreign frames came through";
}

TEST_F(ExecTest, RelaysInputSizesAndSignals) {
  auto channel = start(R"(["signals"])");
  ASSERT_TRUE(channel);
  const int fd = channel->socket.get();
  ASSERT_TRUE(write_frame(fd, FrameKind::kStdin, 5, "another session"));
  ASSERT_TRUE(write_frame(fd, FrameKind::kExit, 0, encode_u32(0)));  // not a client's to say
  ASSERT_TRUE(write_frame(fd, FrameKind::kSignal, 0, encode_u32(2)));
  ASSERT_TRUE(write_frame(fd, FrameKind::kResize, 0, encode_size({100, 40})));
  ASSERT_TRUE(write_frame(fd, FrameKind::kStdinEof, 0, {}));
  const auto heard = listen(*channel);
  EXPECT_EQ(heard.out, "signal 2\nsize 100x40\n");
  EXPECT_EQ(heard.exit_code, 0U);
}

TEST_F(ExecTest, EchoesMuchInBothDirectionsAtOnce) {
  auto channel = start(R"(["cat"])");
  ASSERT_TRUE(channel);
  constexpr std::size_t kPieces = 200;
  const std::string piece(50'000, 'p');
  std::thread writer([&] {
    for (std::size_t i = 0; i < kPieces; ++i) {
      ASSERT_TRUE(write_frame(channel->socket.get(), FrameKind::kStdin, 0, piece));
    }
    ASSERT_TRUE(write_frame(channel->socket.get(), FrameKind::kStdinEof, 0, {}));
  });
  const auto heard = listen(*channel);
  writer.join();
  EXPECT_EQ(heard.out.size(), kPieces * piece.size());
  EXPECT_EQ(heard.exit_code, 0U);
}

TEST_F(ExecTest, ASlowReaderLosesNothing) {
  auto channel = start(R"(["flood","8000000"])");
  ASSERT_TRUE(channel);
  // Others are served while this one does not read.
  EXPECT_EQ(client().call("GET", "/healthz")->status, 200);
  EXPECT_EQ(listen(*channel).out.size(), 8'000'000U);
}

TEST_F(ExecTest, AClientThatGoesHangsUpOnTheCommand) {
  {
    auto channel = start(R"(["sleep"])");
    ASSERT_TRUE(channel);
  }
  // The fake's destructor waits for its command, which waits for the hang-up: the test ends only when that came.
}

TEST_F(ExecTest, ABrokenStreamOfFramesIsHungUp) {
  auto channel = start(R"(["cat"])");
  ASSERT_TRUE(channel);
  RawClient raw_client(std::move(channel->socket));
  ASSERT_TRUE(raw_client.send(std::string(64, '\xff')));
  raw_client.read_all();
}

TEST_F(ExecTest, FramesSentTogetherWithTheRequestAreNotLost) {
  auto socket = raw();
  const std::string body = R"({"command":["cat"]})";
  ASSERT_TRUE(socket.send(
      cat("POST /api/v1/environments/web/exec HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n",
          "Upgrade: skerry-frames\r\nContent-Type: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n", body,
          encode_frame(FrameKind::kStdin, 0, "early"), encode_frame(FrameKind::kStdinEof, 0, {}))));
  const auto all = socket.read_all();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 101"));
  EXPECT_NE(all.find("early"), std::string::npos);
}

TEST_F(ExecTest, AMissingCommandIsToldBeforeTheUpgrade) {
  const auto channel = start(R"(["no-such"])");
  ASSERT_FALSE(channel);
  EXPECT_EQ(channel.error().code, ErrorCode::kCommandNotFound);
}

TEST_F(ExecTest, WithoutUpgradeTheOutputIsADocument) {
  auto http = client();
  const auto answer = json(http.call("POST", "/api/v1/environments/web/exec", R"({"command":["exit","3"]})"));
  EXPECT_EQ(answer.integer("exit_code"), 3);
  EXPECT_EQ(answer.text("stdout"), "out\n");
  EXPECT_EQ(answer.text("stderr"), "err\n");
  const auto echo = json(http.call("POST", "/api/v1/environments/web/exec", R"({"command":["cat"],"stdin":"hello"})"));
  EXPECT_EQ(echo.text("stdout"), "hello");
  const auto much = json(http.call("POST", "/api/v1/environments/web/exec", R"({"command":["flood","3000000"]})"));
  EXPECT_TRUE(much.at("truncated").flag());
  EXPECT_EQ(much.text("stdout").size(), 1U << 20U);
}

TEST_F(ExecTest, ACommandThatDoesNotEndIsGivenUp) {
  const auto answer =
      client().call("POST", "/api/v1/environments/web/exec", R"({"command":["signals"],"timeout_ms":50,"stdin":""})");
  EXPECT_TRUE(answer->status == 504 || answer->status == 200) << answer->body;
  EXPECT_EQ(client().call("POST", "/api/v1/environments/web/exec", R"({"command":[]})")->status, 400);
}

TEST_F(ExecTest, CommandsThatHangHoldUpNobody) {
  std::vector<RawClient> waiting;
  const std::string body = R"({"command":["sleep"],"timeout_ms":600000})";
  // A few more than there is room for: the question below may take a place of theirs for a moment.
  for (std::size_t i = 0; i < ExecCalls::kMaxInOne + 4; ++i) {
    waiting.push_back(raw());
    ASSERT_TRUE(
        waiting.back().send(cat("POST /api/v1/environments/web/exec HTTP/1.1\r\nHost: x\r\n",
                                "Content-Type: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n", body)));
  }
  const auto comes_to = [&](int status) {
    const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
    while (clock_.monotonic() < deadline) {
      const auto answer = client().call("POST", "/api/v1/environments/web/exec", R"({"command":["exit","0"]})");
      if (answer && answer->status == status) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  };
  EXPECT_EQ(client().call("GET", "/api/v1/environments/web")->status, 200);
  EXPECT_TRUE(comes_to(503)) << "one environment may not have all there is";
  EXPECT_EQ(client().call("GET", "/api/v1/environments/web")->status, 200);
  waiting.clear();  // all hang up: their commands end, and there is room again
  EXPECT_TRUE(comes_to(200));
}

TEST_F(ExecTest, AForegroundRunGetsItsExitWhenAllIsSettled) {
  auto channel = client().upgrade(
      "/api/v1/environments", R"({"image":"localhost/base:1","name":"job","command":["exit","9"],"auto_remove":true})");
  ASSERT_TRUE(channel) << channel.error().message();
  EXPECT_EQ(channel->headers.at("x-environment"), "job");
  std::string out;
  FrameParser& parser = channel->parser;
  while (out.find("out\n") == std::string::npos) {
    const auto frame = read_frame(channel->socket.get(), parser);
    ASSERT_TRUE(frame && *frame);
    if ((*frame)->kind == FrameKind::kStdout) out += (*frame)->payload;
    ASSERT_NE((*frame)->kind, FrameKind::kExit) << "told before the run was over";
  }
  controller_.end_run("job", 9);
  EXPECT_EQ(listen(*channel).exit_code, 9U);
  EXPECT_EQ(client().call("GET", "/api/v1/environments/job")->status, 404);
}

}  // namespace
}  // namespace skerry::api::testing
