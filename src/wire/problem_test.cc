#include "wire/problem.h"

#include <gtest/gtest.h>

#include "wire/json_node.h"
#include "wire/json_writer.h"

namespace skerry::wire {
namespace {

TEST(Problem, EveryCodeComesBackAsItself) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const Error error{static_cast<ErrorCode>(i), 0, "what \"failed\"", "do this"};
    const auto back = parse_problem(http_status(error), problem_json(error, http_status(error), "r1"));
    EXPECT_EQ(back.code, error.code);
    EXPECT_EQ(back.message(), error.message());
    EXPECT_EQ(back.hint, "do this");
    EXPECT_GE(http_status(error), 400);
  }
}

TEST(Problem, WhatIsNoProblemDocumentIsQuoted) {
  EXPECT_EQ(parse_problem(502, "<html>Bad Gateway</html>").message(),
            "the server answered 502: <html>Bad Gateway</html>");
  EXPECT_EQ(parse_problem(404, "").code, ErrorCode::kNotFound);
  EXPECT_LT(parse_problem(500, std::string(100'000, 'x')).message().size(), 300U);
}

TEST(JsonWriter, WritesWhatJsonNodeReads) {
  JsonWriter json;
  json.begin_object()
      .field("text", "a\"\n\x01ü\xff")
      .field("number", -5)
      .field("large", UINT64_MAX)
      .field("half", 0.5)
      .field("whole", 3.0)
      .field("small", -0.004)
      .field("flag", true)
      .field("missing", std::optional<int>())
      .field("list", std::vector<std::string>{"a", "b"})
      .field("map", std::map<std::string, std::string>{{"k", "v"}})
      .key("empty")
      .begin_array()
      .end_array()
      .key("nested")
      .begin_array()
      .begin_object()
      .end_object()
      .value(1)
      .end_array()
      .end_object();
  EXPECT_EQ(std::string(json.text_so_far()),
            "{\"text\":\"a\\\"\\n\\u0001ü\xEF\xBF\xBD\",\"number\":-5,\"large\":18446744073709551615,\"half\":0.5,"
            "\"whole\":3,\"small\":-0.004,\"flag\":true,\"missing\":null,\"list\":[\"a\",\"b\"],\"map\":{\"k\":\"v\"},"
            "\"empty\":[],\"nested\":[{},1]}");
  EXPECT_TRUE(JsonNode::parse(json.text_so_far()));
}

TEST(JsonNode, MissingAndWrongReadAsEmpty) {
  const auto node = JsonNode::parse(R"({"a":{"b":[1,"x"]},"n":2.5})");
  ASSERT_TRUE(node);
  EXPECT_EQ(node->at("a.b").items().at(1).text(), "x");
  EXPECT_EQ(node->text("a.c.d"), "");
  EXPECT_EQ(node->integer("a"), 0);
  EXPECT_TRUE(node->at("n.x").is_null());
  EXPECT_FALSE(JsonNode::parse(std::string(100, '[') + std::string(100, ']'))) << "bounded in depth";
  EXPECT_FALSE(JsonNode::parse("{} x"));
}

}  // namespace
}  // namespace skerry::wire
