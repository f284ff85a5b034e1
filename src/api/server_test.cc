// The server as strangers see it: HTTP done right, and HTTP done wrong.
#include "api/api_testing.h"
#include "api/body_budget.h"
#include "api/request_id.h"
#include "api/route.h"
#include "base/file_io.h"
#include "base/log.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

using namespace std::chrono_literals;

class ServerTest : public ApiTest {};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  serve();
  auto socket = raw();
  const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    socket.forget();
    ASSERT_TRUE(socket.send(request));
    EXPECT_TRUE(socket.read_until("\"status\":\"ok\"").starts_with("HTTP/1.1 200 OK\r\n"));
  }
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  serve();
  auto socket = raw();
  ASSERT_TRUE(
      socket.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const auto all = socket.read_all();
  const auto first = all.find("200 OK");
  const auto second = all.find("404 Not Found");
  const auto third = all.find("200 OK", second);
  EXPECT_TRUE(first < second && second < third && third != std::string::npos) << all;
}

// Who asked by HEAD takes the byte behind the head for the next answer.
TEST_F(ServerTest, AnAnswerToHeadHasNoBody) {
  serve();
  auto socket = raw();
  ASSERT_TRUE(
      socket.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  const auto all = socket.read_all();
  EXPECT_TRUE(all.starts_with("HTTP/1.1 405 ")) << all;
  const auto end = all.find("\r\n\r\n");
  ASSERT_NE(end, std::string::npos);
  EXPECT_TRUE(std::string_view(all).substr(end + 4).starts_with("HTTP/1.1 200 OK\r\n")) << all;
}

// Media types are the same in capitals and with parameters, and no other type begins with one.
TEST_F(ServerTest, BodiesAreJsonAndSaySo) {
  serve();
  const auto status = [&](std::string_view type) {
    auto socket = raw();
    socket.send(cat("POST /api/v1/environments HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ", type,
                    "\r\nContent-Length: 2\r\n\r\n[]"));
    return socket.read_all().substr(9, 3);
  };
  EXPECT_EQ(status("application/json"), "400") << "it was read: it is no object";
  EXPECT_EQ(status("Application/JSON; charset=utf-8"), "400");
  EXPECT_EQ(status("application/json-patch+json"), "415");
  EXPECT_EQ(status("text/plain"), "415");
}

TEST_F(ServerTest, TellsProblemsAsRfc9457WithAnErrorText) {
  serve();
  const auto answer = client().call("GET", "/api/v1/environments/nobody");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->headers.at("content-type"), "application/problem+json");
  const auto problem = json(answer);
  EXPECT_EQ(problem.integer("status"), 404);
  EXPECT_EQ(problem.text("code"), "not_found");
  EXPECT_EQ(problem.text("error"), "environment \"nobody\" does not exist (see: skerry ls)");
  EXPECT_FALSE(problem.text("title").empty());
  EXPECT_FALSE(problem.text("instance").empty());
}

TEST_F(ServerTest, NamesTheAllowedMethods) {
  serve();
  const auto answer = client().call("DELETE", "/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 405);
  EXPECT_EQ(answer->headers.at("allow"), "GET");
}

struct Hostile {
  const char* what;
  std::string bytes;
  const char* answer;
};
class HostileTest : public ServerTest, public ::testing::WithParamInterface<Hostile> {};
TEST_P(HostileTest, IsAnsweredAndClosed) {
  serve();
  auto socket = raw();
  socket.send(GetParam().bytes);
  const auto all = socket.read_all();
  EXPECT_TRUE(all.starts_with(cat("HTTP/1.1 ", GetParam().answer))) << GetParam().what << ": " << all.substr(0, 200);
  EXPECT_NE(all.find("problem+json"), std::string::npos);
  EXPECT_EQ(client().call("GET", "/healthz")->status, 200) << "the server lives on";
}
INSTANTIATE_TEST_SUITE_P(
    All, HostileTest,
    ::testing::Values(
        Hostile{"noise", "\x16\x03\x01 this is not http\r\n\r\n", "400"}, Hostile{"no version", "GET /\r\n\r\n", "400"},
        Hostile{"one huge header", "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n", "431"},
        Hostile{"a header without end", "GET / HTTP/1.1\r\n" + std::string(20000, 'x'), "431"},
        Hostile{"a long target", "GET /" + std::string(10000, 'x') + " HTTP/1.1\r\n\r\n", "431"},
        Hostile{"a body announced too large",
                "POST /api/v1/environments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                "Content-Length: 999999999\r\n\r\n{",
                "413"},
        Hostile{"two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
        Hostile{"a coding that only looks like chunked",
                "POST /api/v1/environments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", "400"},
        Hostile{"a broken length", "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", "400"},
        Hostile{"a broken chunk", "POST /api/v1/environments HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n",
                "400"}));

struct BadRequest {
  const char* content_type;
  const char* body;
  int status;
  const char* names;
};
class BadRequestTest : public ServerTest, public ::testing::WithParamInterface<BadRequest> {};
TEST_P(BadRequestTest, IsRefusedWithTheReason) {
  serve();
  auto socket = raw();
  const std::string body = GetParam().body;
  ASSERT_TRUE(socket.send(cat("POST /api/v1/environments HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: ",
                              GetParam().content_type, "\r\nContent-Length: ", body.size(), "\r\n\r\n", body)));
  const auto all = socket.read_all();
  EXPECT_TRUE(all.starts_with(cat("HTTP/1.1 ", GetParam().status))) << all;
  EXPECT_NE(all.find(GetParam().names), std::string::npos) << all;
}
INSTANTIATE_TEST_SUITE_P(
    All, BadRequestTest,
    ::testing::Values(BadRequest{"text/plain", "{}", 415, "application/json"},
                      BadRequest{"application/x-www-form-urlencoded", "a=b", 415, "application/json"},
                      BadRequest{"application/json", "{\"image\":", 400, "request body"},
                      BadRequest{"application/json", "[1]", 400, "must be a JSON object"},
                      BadRequest{"application/json", R"({"image":"x","colour":1})", 400,
                                 "colour: is not a known field"},
                      BadRequest{"application/json", R"({"image":"x","name":"UP"})", 400, "name: "},
                      BadRequest{"application/json", "{\"image\":\"\xff\xfe\"}", 400, "request body"}));

TEST_F(ServerTest, ASlowHeaderCannotHoldAConnection) {
  config_.header_timeout = 100ms;
  serve();
  auto socket = raw();
  ASSERT_TRUE(socket.send("GET /healthz HTTP/1.1\r\nX-Slow: "));
  EXPECT_EQ(socket.read_all(), "") << "closed without an answer";
}

TEST_F(ServerTest, ASilentConnectionIsClosed) {
  config_.idle_timeout = 100ms;
  serve();
  EXPECT_EQ(raw().read_all(), "");
}

TEST_F(ServerTest, ASlowBodyCannotHoldAConnection) {
  config_.body_timeout = 100ms;
  serve();
  auto socket = raw();
  ASSERT_TRUE(socket.send("POST /api/v1/environments HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"));
  EXPECT_EQ(socket.read_all(), "");
}

TEST_F(ServerTest, ConnectionsAboveTheLimitAreClosedAndOthersServed) {
  config_.max_connections = 4;
  serve();
  std::vector<RawClient> held;
  for (int i = 0; i < 4; ++i) {
    held.push_back(raw());
    ASSERT_TRUE(held.back().send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    held.back().read_until("ok");
  }
  EXPECT_EQ(raw().read_all(), "") << "the fifth is closed";
  held.front().forget();
  ASSERT_TRUE(held.front().send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_TRUE(held.front().read_until("ok").starts_with("HTTP/1.1 200"));
}

TEST_F(ServerTest, ManySilentClientsDoNotDelayOthers) {
  serve();
  std::vector<RawClient> silent;
  for (int i = 0; i < 200; ++i) silent.push_back(raw());
  EXPECT_EQ(client().call("GET", "/healthz")->status, 200);
}

TEST_F(ServerTest, WaitsForTheClientsGoAheadWithABody) {
  serve();
  auto socket = raw();
  const std::string body = R"({"image":"localhost/base:1","name":"late"})";
  ASSERT_TRUE(socket.send(cat("POST /api/v1/environments HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n",
                              "Expect: 100-continue\r\nContent-Length: ", body.size(), "\r\n\r\n")));
  EXPECT_TRUE(socket.read_until("\r\n\r\n").starts_with("HTTP/1.1 100 Continue"));
  ASSERT_TRUE(socket.send(body));
  EXPECT_NE(socket.read_until("late").find("201 Created"), std::string::npos);
}

TEST(BodyBudget, GivesBackWhatWasTaken) {
  BodyBudget budget(10);
  {
    const auto first = budget.take(6);
    ASSERT_TRUE(first);
    EXPECT_FALSE(budget.take(5));
    EXPECT_TRUE(budget.take(4));
  }
  EXPECT_TRUE(budget.take(10));
}

TEST_F(ServerTest, StopsWhileAnAnswerIsOutstanding) {
  add_running("web");
  controller_.hold();
  serve();
  auto socket = raw();
  ASSERT_TRUE(socket.send("POST /api/v1/environments/web/stop HTTP/1.1\r\nHost: x\r\n\r\n"));
  server_->stop();
  socket.read_all();
  controller_.release();  // answers into a server that has stopped
  server_.reset();
}

TEST_F(ServerTest, TheSocketIsForTheGroupAndItsPeersAreAdmins) {
  serve();
  struct stat file{};
  ASSERT_EQ(::stat(config_.socket_path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0660U);
  EXPECT_EQ(client().call("GET", "/api/v1/tokens")->status, 200);
}

TEST_F(ServerTest, EveryMutatingCallIsAudited) {
  serve();
  auto http = client();
  ASSERT_EQ(http.call("POST", "/api/v1/environments", R"({"image":"x","name":"web"})")->status, 201);
  ASSERT_EQ(http.call("DELETE", "/api/v1/environments/nobody")->status, 404);
  ASSERT_EQ(http.call("GET", "/api/v1/environments")->status, 200);
  const auto trail = read_file(config_.audit_path);
  ASSERT_TRUE(trail);
  const auto lines = split(*trail, '\n');
  ASSERT_EQ(lines.size(), 3U) << *trail;
  const auto first = wire::JsonNode::parse(lines[0]);
  EXPECT_EQ(first->text("what"), "POST /api/v1/environments");
  EXPECT_EQ(first->text("who"), cat("uid ", ::geteuid()));
  EXPECT_EQ(first->integer("status"), 201);
  EXPECT_EQ(wire::JsonNode::parse(lines[1])->integer("status"), 404);
}

// One id leads from the client to the answer, its problem document, the log and the audit trail.
TEST_F(ServerTest, ARequestIsFoundAgainByItsId) {
  serve();
  const auto ask = [&](std::string_view head) {
    auto socket = raw();
    socket.send(cat("DELETE /api/v1/environments/nobody HTTP/1.1\r\nHost: x\r\n", head, "Connection: close\r\n\r\n"));
    return socket.read_all();
  };
  const auto id_in = [](const std::string& answer) {
    const auto at = answer.find("X-Request-Id: ") + 14;
    return answer.substr(at, answer.find('\r', at) - at);
  };
  ::testing::internal::CaptureStderr();
  log::configure(log::Level::kInfo, log::Format::kJson);
  const auto own = ask("X-Request-Id: deploy-7:a.b_c\r\n");
  const auto made = ask("");
  const auto unfit = ask("X-Request-Id: two words\r\n");
  const auto twice = ask("X-Request-Id: a\r\nX-Request-Id: b\r\n");
  ask(cat("X-Request-Id: ", std::string(65, 'x'), "\r\n"));
  const std::string logged = ::testing::internal::GetCapturedStderr();
  log::configure(log::Level::kInfo, log::Format::kText);
  EXPECT_EQ(id_in(own), "deploy-7:a.b_c");
  EXPECT_NE(own.find("\"instance\":\"urn:skerry:request:deploy-7:a.b_c\""), std::string::npos) << own;
  EXPECT_TRUE(is_request_id(id_in(made)) && is_request_id(id_in(unfit)) && is_request_id(id_in(twice)));
  EXPECT_NE(id_in(made), id_in(unfit));
  EXPECT_NE(id_in(twice), "a");
  const auto trail = read_file(config_.audit_path).value();
  for (const auto& id : {id_in(own), id_in(made), id_in(unfit), id_in(twice)}) {
    EXPECT_NE(trail.find(cat("\"request\":\"", id, "\"")), std::string::npos) << trail;
    EXPECT_NE(logged.find(cat("\"request_id\":\"", id, "\"")), std::string::npos) << logged;
  }
  EXPECT_EQ(trail.find("xxxxx"), std::string::npos);
  EXPECT_NE(logged.find("\"what\":\"DELETE /api/v1/environments/nobody\""), std::string::npos);
}

TEST(RequestIds, NoneIsMadeTwiceAlsoNotByTheNextDaemon) {
  RequestIds before;
  RequestIds after;
  EXPECT_NE(before.next(), before.next());
  EXPECT_NE(RequestIds().next(), RequestIds().next());
  EXPECT_TRUE(is_request_id(after.next()));
  EXPECT_FALSE(is_request_id(""));
  EXPECT_FALSE(is_request_id("a\nb"));
}

TEST(Routes, EscapesAndReferencesWithSlashes) {
  EXPECT_EQ(find_route("GET", "/api/v1/environments/a%2Db")->parameters.at("name"), "a-b");
  EXPECT_EQ(find_route("GET", "/api/v1/images/localhost:5000/team/web:1")->parameters.at("reference"),
            "localhost:5000/team/web:1");
  EXPECT_EQ(find_route("GET", "/api/v1/images/localhost%3A5000%2Fteam%2Fweb%3A1")->parameters.at("reference"),
            "localhost:5000/team/web:1");
  EXPECT_FALSE(find_route("GET", "/api/v1/environments/"));
  EXPECT_FALSE(find_route("GET", "/api/v1/environments/%zz"));
  EXPECT_FALSE(find_route("GET", "/api/v1/environments/%00"));
}

}  // namespace
}  // namespace skerry::api::testing
