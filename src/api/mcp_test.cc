// The Model Context Protocol against fakes: every method in both eras, bad input, the table of tools.
#include <algorithm>

#include "api/api_testing.h"
#include "api/mcp_run.h"
#include "api/mcp_tools.h"
#include "api/route.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

constexpr std::string_view kModern = "MCP-Protocol-Version: 2026-07-28\r\n";
constexpr std::string_view kMeta =
    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}})";

struct McpAnswer {
  int status = 0;
  std::string head;
  std::string body;  // of a stream: its last message
  [[nodiscard]] wire::JsonNode json() const { return wire::JsonNode::parse(body).value_or(wire::JsonNode()); }
  [[nodiscard]] std::int64_t error() const { return json().integer("error.code"); }
};

class McpTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
  }
  McpAnswer send(std::string_view body, std::string_view headers = {}, std::string_view method = "POST") {
    auto socket = raw();
    socket.send(cat(method, " /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
                    "Accept: application/json, text/event-stream\r\nConnection: close\r\nContent-Length: ", body.size(),
                    "\r\n", headers, "\r\n", body));
    return parse(socket.read_all());
  }
  // A request as 2026-07-28 wants it.
  McpAnswer modern(std::string_view method, std::string_view params = {}, std::string_view headers = {}) {
    return send(cat(R"({"jsonrpc":"2.0","id":5,"method":")", method, R"(","params":{)", kMeta,
                    params.empty() ? "" : ",", params, "}}"),
                cat(kModern, "Mcp-Method: ", method, "\r\n", headers));
  }
  McpAnswer modern_call(std::string_view tool, std::string_view arguments = "{}") {
    return modern("tools/call", cat(R"("name":")", tool, R"(","arguments":)", arguments),
                  cat("Mcp-Name: ", tool, "\r\n"));
  }
  McpAnswer old(std::string_view method, std::string_view params = "{}", std::string_view headers = {}) {
    return send(cat(R"({"jsonrpc":"2.0","id":5,"method":")", method, R"(","params":)", params, "}"), headers);
  }
  static McpAnswer parse(const std::string& text) {
    McpAnswer answer;
    const auto end = text.find("\r\n\r\n");
    answer.head = text.substr(0, end);
    answer.body = end == std::string::npos ? std::string() : text.substr(end + 4);
    if (answer.head.size() > 12)
      answer.status = parse_int<int>(std::string_view(text).substr(9, 3), "status").value_or(0);
    constexpr std::string_view kData = "data: ";
    if (const auto at = answer.body.rfind(kData); at != std::string::npos) {
      answer.body = answer.body.substr(at + kData.size());
      answer.body.resize(answer.body.find('\n'));
    }
    return answer;
  }
};

// ── the table ──

TEST(McpTools, EachLeadsToARouteAndHasWholeSchemas) {
  for (const auto& tool : tools()) {
    const auto all = routes();
    EXPECT_TRUE(std::ranges::any_of(all, [&](const Route& route) {
      return route.method == tool.method && route.path == tool.path;
    })) << tool.name;
    EXPECT_EQ(find_tool(tool.name), &tool) << "a name twice";
  }
  const Caller admin{"root", Role::kAdmin, {}};
  const auto page = tools_page(admin, std::nullopt, 1000);
  ASSERT_TRUE(page);
  EXPECT_FALSE(page->next);
  const auto list = wire::JsonNode::parse(page->tools);
  ASSERT_TRUE(list) << list.error().message();
  ASSERT_EQ(list->items().size(), tools().size());
  for (const auto& tool : list->items()) {
    EXPECT_EQ(tool.text("inputSchema.type"), "object") << tool.text("name");
    EXPECT_EQ(tool.text("outputSchema.type"), "object") << tool.text("name");
    EXPECT_FALSE(tool.text("description").empty());
    for (const auto& name : tool.at("inputSchema.required").items()) {
      EXPECT_TRUE(tool.at("inputSchema.properties").member(name.text()).is_object()) << tool.text("name");
    }
    const auto text = tool.dump();
    EXPECT_EQ(text.find("#/components"), std::string::npos) << tool.text("name");
    for (auto at = text.find("#/$defs/"); at != std::string::npos; at = text.find("#/$defs/", at + 1)) {
      const auto name = text.substr(at + 8, text.find('"', at) - at - 8);
      EXPECT_TRUE(tool.at("outputSchema.$defs").member(name).is_object()) << tool.text("name") << " " << name;
    }
  }
}

TEST(McpTools, PagesFollowOneAnotherInOrder) {
  const Caller admin{"root", Role::kAdmin, {}};
  const auto whole = wire::JsonNode::parse(tools_page(admin, std::nullopt, 1000)->tools)->items();
  std::vector<std::string> names;
  std::optional<std::string> cursor;
  do {
    const auto page = tools_page(admin, cursor, 5);
    ASSERT_TRUE(page);
    for (const auto& tool : wire::JsonNode::parse(page->tools)->items()) names.push_back(tool.text("name"));
    cursor = page->next;
  } while (cursor);
  ASSERT_EQ(names.size(), whole.size());
  for (std::size_t i = 0; i < names.size(); ++i) EXPECT_EQ(names[i], whole[i].text("name"));
  EXPECT_FALSE(tools_page(admin, "no-such-tool", 5));
}

TEST(McpTools, ARoleSeesWhatItMayCall) {
  for (const auto role : {Role::kNobody, Role::kViewer, Role::kOperator, Role::kAdmin}) {
    const auto page = tools_page({"x", role, {}}, std::nullopt, 1000);
    const auto listed = wire::JsonNode::parse(page->tools)->items();
    const auto expected = std::ranges::count_if(tools(), [&](const Tool& tool) { return role_of(tool) <= role; });
    EXPECT_EQ(static_cast<std::ptrdiff_t>(listed.size()), expected) << to_text(role);
  }
}

// ── 2026-07-28 ──

TEST_F(McpTest, DiscoverTellsVersionsAndCapabilities) {
  const auto answer = modern("server/discover");
  EXPECT_EQ(answer.status, 200);
  const auto result = answer.json().at("result");
  EXPECT_EQ(result.text("resultType"), "complete");
  EXPECT_EQ(result.at("supportedVersions").items().at(0).text(), "2026-07-28");
  EXPECT_TRUE(result.at("capabilities.tools").is_object());
  EXPECT_EQ(result.at("_meta").member("io.modelcontextprotocol/serverInfo").text("name"), "skerry");
  EXPECT_GT(result.integer("ttlMs"), 0);
}

TEST_F(McpTest, HeadersMustAgreeWithTheBody) {
  const std::string body =
      cat(R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"list_images",)", kMeta, "}}");
  const std::string method = "Mcp-Method: tools/call\r\n";
  const std::string name = "Mcp-Name: list_images\r\n";
  EXPECT_EQ(send(body, cat(kModern, method, name)).status, 200);
  EXPECT_EQ(send(body, cat(kModern, method, "mcp-name:   =?base64?bGlzdF9pbWFnZXM=?=  \r\n")).status, 200);
  const std::string wrong[] = {
      cat(method, name),
      cat("MCP-Protocol-Version: 2025-11-25\r\n", method, name),
      cat(kModern, name),
      cat(kModern, "Mcp-Method: TOOLS/CALL\r\n", name),
      cat(kModern, method),
      cat(kModern, method, "Mcp-Name: other\r\n"),
      cat(kModern, method, "Mcp-Name: =?base64?bGlzd?=\r\n"),
      cat(kModern, method, method, name),
  };
  for (const auto& headers : wrong) {
    const auto answer = send(body, headers);
    EXPECT_EQ(answer.status, 400) << headers;
    EXPECT_EQ(answer.error(), -32020) << headers;
    EXPECT_EQ(answer.json().integer("id"), 5);
  }
}

TEST_F(McpTest, MetaIsChecked) {
  EXPECT_EQ(send(R"({"jsonrpc":"2.0","id":5,"method":"server/discover","params":{}})", kModern).error(), -32602);
  EXPECT_EQ(send(R"({"jsonrpc":"2.0","id":5,"method":"tools/list"})", kModern).error(), -32602);
  const auto only = [&](std::string_view meta) {
    return send(cat(R"({"jsonrpc":"2.0","id":5,"method":"tools/list","params":{"_meta":{)", meta, "}}}"), kModern)
        .error();
  };
  EXPECT_EQ(only(R"("io.modelcontextprotocol/protocolVersion":"2026-07-28")"), -32602);
  EXPECT_EQ(only(R"("io.modelcontextprotocol/clientCapabilities":{})"), -32602);
  EXPECT_EQ(only(R"("io.modelcontextprotocol/protocolVersion":7,"io.modelcontextprotocol/clientCapabilities":{})"),
            -32602);
}

TEST_F(McpTest, OtherVersionsAreRefusedWithThoseThereAre) {
  const auto answer = send(
      R"({"jsonrpc":"2.0","id":5,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}}})",
      "MCP-Protocol-Version: 2099-01-01\r\nMcp-Method: tools/list\r\n");
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.error(), -32022);
  EXPECT_EQ(answer.json().text("error.data.requested"), "2099-01-01");
  EXPECT_EQ(answer.json().at("error.data.supported").items().size(), 1U);
  EXPECT_EQ(old("tools/list", "{}", "MCP-Protocol-Version: 1999-01-01\r\n").error(), -32022);
}

TEST_F(McpTest, UnknownAndRemovedMethodsAreNotFound) {
  for (const auto* method : {"initialize", "ping", "logging/setLevel", "resources/list", "prompts/get", "x"}) {
    const auto answer = modern(method);
    EXPECT_EQ(answer.status, 404) << method;
    EXPECT_EQ(answer.error(), -32601) << method;
  }
}

TEST_F(McpTest, ListenAcknowledgesAndStaysOpen) {
  auto socket = raw();
  const std::string body = cat(R"({"jsonrpc":"2.0","id":"s","method":"subscriptions/listen","params":{)", kMeta,
                               R"(,"notifications":{"toolsListChanged":true}}})");
  socket.send(
      cat("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n",
          kModern, "Mcp-Method: subscriptions/listen\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  const auto text = socket.read_until("\n\n");
  EXPECT_NE(text.find("notifications/subscriptions/acknowledged"), std::string::npos);
  EXPECT_NE(text.find(R"("io.modelcontextprotocol/subscriptionId":"s")"), std::string::npos);
  EXPECT_EQ(text.find("toolsListChanged"), std::string::npos) << "nothing is promised that never comes";
}

// ── handshake revisions ──

TEST_F(McpTest, InitializeAgreesOnAVersion) {
  for (const auto& [asked, given] : {std::pair{"2025-11-25", "2025-11-25"}, std::pair{"2025-06-18", "2025-06-18"},
                                     std::pair{"2024-11-05", "2024-11-05"}, std::pair{"2026-07-28", "2025-11-25"},
                                     std::pair{"nonsense", "2025-11-25"}}) {
    const auto answer = old("initialize", cat(R"({"protocolVersion":")", asked, R"(","capabilities":{}})"));
    EXPECT_EQ(answer.json().text("result.protocolVersion"), given);
    EXPECT_NE(answer.head.find("Mcp-Session-Id: "), std::string::npos);
    EXPECT_TRUE(answer.json().at("result.resultType").is_null());
  }
  EXPECT_EQ(old("initialize").error(), -32602);
}

TEST_F(McpTest, SessionsEndWhenAsked) {
  const std::string session = "Mcp-Session-Id: abc\r\n";
  EXPECT_EQ(old("ping", "{}", session).body, R"({"jsonrpc":"2.0","id":5,"result":{}})");
  EXPECT_EQ(send("", session, "DELETE").status, 204);
  EXPECT_EQ(old("ping", "{}", session).status, 404);
  EXPECT_EQ(old("ping", "{}", "Mcp-Session-Id: other\r\n").status, 200);
  EXPECT_EQ(send("", "", "DELETE").status, 400);
  EXPECT_EQ(send("", "", "GET").status, 405);
}

TEST_F(McpTest, NotificationsAndResponsesAreTaken) {
  EXPECT_EQ(send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})").status, 202);
  EXPECT_EQ(send(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":9}})").status, 202);
  EXPECT_EQ(send(R"({"jsonrpc":"2.0","id":1,"result":{}})").status, 202);
  EXPECT_EQ(send(R"({"jsonrpc":"2.0","method":"x"})", "MCP-Protocol-Version: 1\r\n").status, 400);
}

TEST_F(McpTest, BadMessagesAreFaults) {
  for (const auto* body : {"{", "[]", "7", R"({"jsonrpc":"2.0","id":null,"method":"ping"})"}) {
    const auto answer = send(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_LT(answer.error(), 0) << body;
    EXPECT_NE(answer.body.find("\"id\":null"), std::string::npos) << answer.body;
  }
  EXPECT_EQ(old("no/such").error(), -32601);
  EXPECT_EQ(old("tools/list", R"({"cursor":"x"})").error(), -32602);
  EXPECT_EQ(old("tools/list", R"({"cursor":5})").error(), -32602);
  EXPECT_EQ(old("tools/call").error(), -32602);
  EXPECT_EQ(old("tools/call", R"({"name":"nope"})").error(), -32602);
  EXPECT_EQ(old("tools/call", R"({"name":"list_images","arguments":[]})").error(), -32602);
}

// ── tools ──

TEST_F(McpTest, AToolAnswersWithItsRoutesDocument) {
  add_running("web");
  const auto shown = modern_call("show_environment", R"({"name":"web"})").json().at("result");
  EXPECT_FALSE(shown.at("isError").flag());
  EXPECT_EQ(shown.text("structuredContent.name"), "web");
  EXPECT_EQ(wire::JsonNode::parse(shown.at("content").items().at(0).text("text"))->text("name"), "web");
  const auto listed = modern_call("list_environments", R"({"state":"running","limit":1})").json();
  EXPECT_EQ(listed.integer("result.structuredContent.total"), 1);
  EXPECT_EQ(listed.at("result.structuredContent.items").items().size(), 1U);
  EXPECT_EQ(modern_call("stop_environment", R"({"name":"web","grace_ms":7})").json().at("result.isError").flag(),
            false);
  EXPECT_EQ(controller_.verbs().at(0).grace_ms, 7U);
  EXPECT_EQ(modern_call("create_environment", R"({"name":"new","image":"localhost/base:1"})")
                .json()
                .text("result.structuredContent.name"),
            "new");
}

TEST_F(McpTest, SnapshotsAreTakenRestoredAndDeleted) {
  add_running("web");
  const auto taken = modern_call("create_snapshot", R"({"environment":"web","name":"before"})").json().at("result");
  EXPECT_FALSE(taken.at("isError").flag()) << taken.dump();
  EXPECT_EQ(taken.text("structuredContent.environment"), "web");
  EXPECT_EQ(taken.text("structuredContent.name"), "before");
  EXPECT_EQ(modern_call("list_snapshots", "{}").json().integer("result.structuredContent.total"), 1);
  const auto restored = modern_call("restore_snapshot", R"({"name":"before"})").json().at("result");
  EXPECT_EQ(restored.text("structuredContent.name"), "web") << restored.dump();
  EXPECT_TRUE(modern_call("delete_snapshot", R"({"name":"before"})").json().at("result.structuredContent.done").flag());
  EXPECT_EQ(modern_call("list_snapshots", "{}").json().integer("result.structuredContent.total"), 0);
  EXPECT_TRUE(modern_call("create_snapshot", R"({"name":"x"})").json().at("result.isError").flag());
}

TEST_F(McpTest, WhatAToolCannotDoIsAnAnswer) {
  const std::pair<std::string_view, std::string_view> cases[] = {{R"({"name":"none"})", "does not exist"},
                                                                 {"{}", "\"name\" is missing"},
                                                                 {R"({"name":{}})", "single value"},
                                                                 {R"({"name":""})", "empty"},
                                                                 {R"({"name":"a","x":1})", "\"x\" is not known"}};
  for (const auto& [arguments, words] : cases) {
    const auto answer = modern_call("show_environment", arguments);
    EXPECT_EQ(answer.status, 200);
    const auto result = answer.json().at("result");
    EXPECT_TRUE(result.at("isError").flag()) << arguments;
    EXPECT_TRUE(result.at("structuredContent").is_null());
    EXPECT_NE(result.at("content").items().at(0).text("text").find(words), std::string::npos) << answer.body;
  }
}

TEST_F(McpTest, ExecTellsCodeAndOutput) {
  add_running("web");
  const auto ran = modern_call("exec_in_environment", R"({"name":"web","command":["exit","3"]})").json();
  EXPECT_EQ(ran.integer("result.structuredContent.exit_code"), 3);
  EXPECT_EQ(ran.text("result.structuredContent.stdout"), "out\n");
  EXPECT_EQ(ran.text("result.structuredContent.stderr"), "err\n");
}

TEST_F(McpTest, AKilledCommandSaysWhatKilledIt) {
  const auto ran = modern_call("run_command", R"({"image":"localhost/base:1","command":["exit","137"]})").json();
  EXPECT_EQ(ran.integer("result.structuredContent.exit_code"), 137) << ran.dump();
  // The fakes have no counter, and have used less than the limit.
  EXPECT_FALSE(ran.at("result.structuredContent.oom_killed").flag());
  EXPECT_EQ(ran.text("result.structuredContent.reason"), "killed by signal 9 (SIGKILL)");
  EXPECT_NE(ran.at("result.content").items().at(0).text("text").find("killed by signal 9"), std::string::npos);
}

TEST(McpRun, OutOfMemoryIsReadFromTheKernelsCounters) {
  EXPECT_EQ(oom_kills_in("low 0\noom 1\noom_kill 2\n"), 2U);
  EXPECT_EQ(oom_kills_in("oom_kill_disable 0\nunder_oom 0\noom_kill 0\n"), 0U);
  EXPECT_EQ(oom_kills_in("nr_free 1\n"), std::nullopt);
}

TEST(McpTools, HintsNameTheToolInsteadOfTheCommandLine) {
  const auto said = [](std::string hint) {
    return said_with_tools({ErrorCode::kNotFound, 0, "x", std::move(hint)}).hint;
  };
  EXPECT_EQ(said("pull it with: skerry images pull debian"), "pull it with: the tool pull_image");
  EXPECT_EQ(said("see: skerry ls"), "see: the tool list_environments");
  EXPECT_EQ(said("is it running?"), "is it running?");
}

TEST_F(McpTest, AClientThatTakesNoStreamGetsADocument) {
  add_running("web");
  const std::string body =
      R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"start_environment","arguments":{"name":"web"}}})";
  auto socket = raw();
  socket.send(cat("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n",
                  "Accept: application/json\r\nContent-Length: ", body.size(), "\r\n\r\n", body));
  const auto answer = parse(socket.read_all());
  EXPECT_NE(answer.head.find("application/json"), std::string::npos);
  EXPECT_FALSE(answer.json().at("result.isError").flag());
}

TEST_F(McpTest, HangingUpCancels) {
  add_running("web");
  auto socket = raw();
  const std::string body =
      cat(R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"exec_in_environment","arguments":)",
          R"({"name":"web","command":["sleep"],"timeout_ms":60000},)", kMeta, "}}");
  socket.send(
      cat("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n",
          kModern, "Mcp-Method: tools/call\r\nMcp-Name: exec_in_environment\r\nContent-Length: ", body.size(),
          "\r\n\r\n", body));
  socket.read_until("\r\n\r\n");
  socket.close();
  // It is audited when it ends: long before its own time is up.
  const auto deadline = clock_.monotonic() + std::chrono::seconds(20);
  while (read_file(config_.audit_path).value_or("").find("/web/exec") == std::string::npos) {
    ASSERT_LT(clock_.monotonic(), deadline);
    std::this_thread::yield();
  }
}

TEST_F(McpTest, CancelledBySessionAndId) {
  add_running("web");
  auto socket = raw();
  const std::string session = "Mcp-Session-Id: s1\r\n";
  const std::string body =
      R"({"jsonrpc":"2.0","id":"long","method":"tools/call","params":{"name":"exec_in_environment","arguments":{"name":"web","command":["sleep"],"timeout_ms":60000}}})";
  socket.send(
      cat("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: text/event-stream\r\n",
          session, "Content-Length: ", body.size(), "\r\n\r\n", body));
  socket.read_until("\r\n\r\n");
  const std::string cancel = R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"long"}})";
  EXPECT_EQ(send(cancel, "Mcp-Session-Id: s2\r\n").status, 202) << "another session's is left alone";
  EXPECT_EQ(send(cancel, session).status, 202);
  const auto text = socket.read_until("\r\n0\r\n\r\n");
  EXPECT_EQ(text.find("\"long\""), std::string::npos) << "no answer any more: " << text;
}

// A gateway may have let a message pass by its headers: they must not say something else, whatever the revision.
TEST_F(McpTest, HeadersThatDisagreeAreRefusedInTheHandshakeEraToo) {
  const std::string call = R"({"name":"list_images","arguments":{}})";
  EXPECT_EQ(old("tools/call", call).status, 200);
  EXPECT_EQ(old("tools/call", call, "Mcp-Method: tools/call\r\nMcp-Name: list_images\r\n").status, 200);
  for (const auto* headers :
       {"Mcp-Method: tools/list\r\n", "Mcp-Name: list_plugins\r\n",
        "MCP-Protocol-Version: 2025-11-25\r\nMcp-Method: ping\r\n", "Mcp-Name: =?base64?%?=\r\n"}) {
    const auto answer = old("tools/call", call, headers);
    EXPECT_EQ(answer.status, 400) << headers;
    EXPECT_NE(answer.body.find("does not agree"), std::string::npos) << answer.body;
  }
  EXPECT_EQ(old("ping", "{}", "Mcp-Name: x\r\n").status, 400) << "ping names nothing";
  EXPECT_EQ(send(R"({"jsonrpc":"2.0","method":"notifications/initialized"})", "Mcp-Method: ping\r\n").status, 400);
}

}  // namespace
}  // namespace skerry::api::testing
