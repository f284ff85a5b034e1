#include "wire/json_rpc.h"

#include <gtest/gtest.h>

namespace skerry::wire {
namespace {

TEST(JsonRpc, RequestsNotificationsAndResponses) {
  const auto request = parse_rpc(R"({"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"a":1}})");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->kind, RpcMessage::Kind::kRequest);
  EXPECT_EQ(request->id, "7");
  EXPECT_EQ(request->params.integer("a"), 1);
  EXPECT_EQ(parse_rpc(R"({"jsonrpc":"2.0","id":"a\"b","method":"x"})")->id, R"("a\"b")");
  const auto notification = parse_rpc(R"({"jsonrpc":"2.0","method":"notifications/initialized"})");
  EXPECT_EQ(notification->kind, RpcMessage::Kind::kNotification);
  EXPECT_EQ(parse_rpc(R"({"jsonrpc":"2.0","id":1,"result":null})")->kind, RpcMessage::Kind::kResponse);
  EXPECT_EQ(parse_rpc(R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}})")->kind,
            RpcMessage::Kind::kResponse);
  EXPECT_EQ(parse_rpc(R"({"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}})")->kind,
            RpcMessage::Kind::kResponse);
}

TEST(JsonRpc, WhatIsWrongIsSaidWithTheIdWhenThereIsOne) {
  const std::pair<std::string_view, std::pair<RpcCode, std::string_view>> cases[] = {
      {"", {RpcCode::kParseError, ""}},
      {"{", {RpcCode::kParseError, ""}},
      {"[]", {RpcCode::kInvalidRequest, ""}},
      {"7", {RpcCode::kInvalidRequest, ""}},
      {R"({"id":1,"method":"x"})", {RpcCode::kInvalidRequest, "1"}},
      {R"({"jsonrpc":"1.0","id":1,"method":"x"})", {RpcCode::kInvalidRequest, "1"}},
      {R"({"jsonrpc":"2.0","id":null,"method":"x"})", {RpcCode::kInvalidRequest, ""}},
      {R"({"jsonrpc":"2.0","id":1.5,"method":"x"})", {RpcCode::kInvalidRequest, ""}},
      {R"({"jsonrpc":"2.0","id":{},"method":"x"})", {RpcCode::kInvalidRequest, ""}},
      {R"({"jsonrpc":"2.0","id":1})", {RpcCode::kInvalidRequest, "1"}},
      {R"({"jsonrpc":"2.0","id":1,"method":""})", {RpcCode::kInvalidRequest, "1"}},
      {R"({"jsonrpc":"2.0","id":1,"method":5})", {RpcCode::kInvalidRequest, "1"}},
      {R"({"jsonrpc":"2.0","id":1,"method":"x","params":[1]})", {RpcCode::kInvalidRequest, "1"}},
  };
  for (const auto& [text, expected] : cases) {
    const auto message = parse_rpc(text);
    ASSERT_FALSE(message) << text;
    EXPECT_EQ(message.error().code, expected.first) << text;
    EXPECT_EQ(message.error().id, expected.second) << text;
    EXPECT_FALSE(message.error().message.empty());
  }
  EXPECT_EQ(parse_rpc(std::string(100'000, '[')).error().code, RpcCode::kParseError);
}

TEST(JsonRpc, MessagesAreOneLineEach) {
  EXPECT_EQ(rpc_result("7", "{\n\"a\":\r\n1}"), R"({"jsonrpc":"2.0","id":7,"result":{ "a":  1}})");
  EXPECT_EQ(rpc_fault({RpcCode::kInvalidParams, "no", R"("x")", "{}"}),
            R"({"jsonrpc":"2.0","id":"x","error":{"code":-32602,"message":"no","data":{}}})");
  EXPECT_EQ(rpc_fault({RpcCode::kParseError, "no", "", ""}),
            R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}})");
  EXPECT_EQ(rpc_notification("n", "{}"), R"({"jsonrpc":"2.0","method":"n","params":{}})");
}

}  // namespace
}  // namespace skerry::wire
