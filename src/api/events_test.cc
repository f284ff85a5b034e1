// The event stream: order, replay, filters, readers that come and go.
#include <atomic>
#include <thread>

#include "api/api_testing.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

class EventsTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
  }
  void store(const std::string& type, const std::string& resource) {
    ASSERT_TRUE(store_->append_events({Event{0, type, resource, {{"name", resource}}, clock_.now()}}));
  }
  RawClient stream(std::string_view query, std::string_view headers = "") {
    auto socket = raw();
    socket.send(
        cat("GET /api/v1/events", query, " HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n", headers, "\r\n"));
    return socket;
  }
};

TEST_F(EventsTest, StreamsWhatHappensFromNowOn) {
  store("vm.created", "old");
  auto reader = stream("");
  EXPECT_NE(reader.read_until("skerry events").find("Content-Type: text/event-stream"), std::string::npos);
  store("vm.created", "nginx-demo");
  const auto text = reader.read_until("nginx-demo\"}\n\n");
  EXPECT_NE(text.find("id: 2\nevent: vm.created\ndata: {\"name\":\"nginx-demo\"}\n\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("old"), std::string::npos);
}

// `curl http://localhost:8080/api/v1/events`, as the microVM document has it, and clients that send no Accept at all.
TEST_F(EventsTest, StreamsUnlessJsonIsAskedFor) {
  store("vm.created", "old");
  for (const auto* accept : {"", "Accept: */*\r\n", "Accept: application/json, text/event-stream\r\n"}) {
    auto reader = raw();
    reader.send(cat("GET /api/v1/events?after=0 HTTP/1.1\r\nHost: x\r\n", accept, "\r\n"));
    const auto text = reader.read_until("\"old\"}\n\n");
    EXPECT_NE(text.find("Content-Type: text/event-stream\r\n"), std::string::npos) << accept << text;
    EXPECT_NE(text.find("id: 1\nevent: vm.created\ndata: {\"name\":\"old\"}\n\n"), std::string::npos) << text;
  }
  auto lister = raw();
  lister.send("GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: application/json, */*\r\nConnection: close\r\n\r\n");
  const auto list = lister.read_all();
  EXPECT_NE(list.find("Content-Type: application/json\r\n"), std::string::npos) << list;
  EXPECT_TRUE(list.ends_with("}]")) << list;
}

TEST_F(EventsTest, ReplaysAfterTheLastEventId) {
  for (const auto* name : {"a", "b", "c"}) store("vm.created", name);
  const auto text = stream("", "Last-Event-ID: 1\r\n").read_until("id: 3\n");
  EXPECT_EQ(text.find("id: 1\n"), std::string::npos);
  EXPECT_LT(text.find("id: 2\n"), text.find("id: 3\n"));
  auto broken = stream("", "Last-Event-ID: one\r\n");
  EXPECT_TRUE(broken.read_until("\r\n\r\n").starts_with("HTTP/1.1 400"));
}

TEST_F(EventsTest, WithoutABeginningTheNewestAreTold) {
  for (const auto* name : {"a", "b", "c", "d"}) store("vm.created", name);
  auto http = client();
  const auto names = [&](const std::string& query) {
    std::string out;
    for (const auto& each : json(http.call("GET", "/api/v1/events?" + query)).items()) out += each.text("resource");
    return out;
  };
  EXPECT_EQ(names("limit=2"), "cd") << "the newest, in order";
  EXPECT_EQ(names("limit=2&after=0"), "ab") << "the first ones behind it";
  EXPECT_EQ(names("limit=2&after=1"), "bc");
  EXPECT_EQ(names("limit=9"), "abcd");
  EXPECT_EQ(names("limit=2&resource=b"), "b");
}

// One letter less would otherwise list everything, on any route.
TEST_F(EventsTest, OptionsThatTheRouteDoesNotKnowAreRefused) {
  auto http = client();
  for (const auto* target : {"/api/v1/events?typ=vm.", "/api/v1/images?limits=1", "/api/v1/system?x",
                             "/api/v1/deployments/web?force=true", "/api/v1/policy/explain?form=a"}) {
    const auto answer = http.call("GET", target);
    EXPECT_EQ(answer->status, 400) << target;
    EXPECT_NE(answer->body.find("is not known here"), std::string::npos) << answer->body;
  }
  EXPECT_NE(http.call("GET", "/api/v1/events?typ=vm.")->body.find("query typ"), std::string::npos);
  EXPECT_EQ(http.call("GET", "/api/v1/images?limit=1")->status, 200);
}

TEST_F(EventsTest, Filters) {
  store("vm.created", "a");
  store("container.created", "b");
  store("vm.stopped", "a");
  auto http = client();
  EXPECT_EQ(json(http.call("GET", "/api/v1/events?type=vm.")).items().size(), 2U);
  EXPECT_EQ(json(http.call("GET", "/api/v1/events?type=vm.stopped")).items().size(), 1U);
  EXPECT_EQ(json(http.call("GET", "/api/v1/events?resource=b")).items().size(), 1U);
  EXPECT_EQ(json(http.call("GET", "/api/v1/events?after=2&limit=5")).items().size(), 1U);
  const auto text = stream("?type=container.&after=0").read_until("id: 2\n");
  EXPECT_EQ(text.find("event: vm"), std::string::npos);
}

// A client that drops its connection over and over while events pour in sees every one, once, in order.
TEST_F(EventsTest, AReaderThatReconnectsAHundredTimesMissesNone) {
  constexpr std::uint64_t kEvents = 1500;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kEvents; ++i) store("vm.created", cat("e", i));
  });
  std::uint64_t last = 0;
  int connections = 0;
  while (last < kEvents) {
    ++connections;
    auto reader = stream("", cat("Last-Event-ID: ", last, "\r\n"));
    // Read a few events, then hang up in the middle of things.
    const auto stop = std::min(last + kEvents / 100, kEvents);
    const auto text = reader.read_until(cat("id: ", stop, "\n"));
    for (auto at = text.find("id: "); at != std::string::npos; at = text.find("id: ", at + 1)) {
      const auto end = text.find("\n\n", at);
      if (end == std::string::npos) break;  // cut: it counts as not received
      const auto id =
          parse_int<std::uint64_t>(std::string_view(text).substr(at + 4, text.find('\n', at) - at - 4), "id");
      ASSERT_TRUE(id);
      ASSERT_EQ(*id, last + 1);
      last = *id;
      if (last == stop) break;  // what came behind it is lost with the connection
    }
  }
  writer.join();
  EXPECT_GE(connections, 100);
}

TEST_F(EventsTest, AReaderThatDoesNotReadHoldsUpNobody) {
  auto lazy = stream("?after=0");
  for (int i = 0; i < 3000; ++i) store("vm.created", std::string(63, 'x'));
  auto reader = stream("?after=2990");
  EXPECT_NE(reader.read_until("id: 3000\n").find("id: 3000\n"), std::string::npos);
  EXPECT_NE(lazy.read_until("id: 3000\n").find("id: 3000\n"), std::string::npos) << "and loses nothing";
}

TEST_F(EventsTest, ReadersThatGoAreForgotten) {
  {
    auto reader = stream("");
    reader.read_until("skerry events");
    EXPECT_NE(client().call("GET", "/metrics")->body.find("skerry_event_readers 1\n"), std::string::npos);
  }
  const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
  while (client().call("GET", "/metrics")->body.find("skerry_event_readers 0\n") == std::string::npos) {
    ASSERT_LT(clock_.monotonic(), deadline);
  }
}

}  // namespace
}  // namespace skerry::api::testing
