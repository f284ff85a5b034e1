#include "base/text.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/rollback.h"

namespace skerry {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Text, JoinsTextsAndNumbers) {
  EXPECT_EQ(cat("a ", 1, ' ', -2, ' ', std::uint64_t{18446744073709551615U}, ' ', true),
            "a 1 -2 18446744073709551615 true");
  EXPECT_EQ(join({"a", "b", "c"}, ", "), "a, b, c");
  EXPECT_EQ(join({}, ","), "");
}

TEST(Text, ParsesWholeIntegersOnly) {
  EXPECT_EQ(parse_int<int>("-12", "n").value(), -12);
  EXPECT_EQ(parse_int<std::uint8_t>("255", "n").value(), 255);
  for (const auto* text : {"", " 1", "1 ", "+1", "1x", "0x1", "256", "-1", "1.0"}) {
    EXPECT_FALSE(parse_int<std::uint8_t>(text, "n")) << text;
  }
  EXPECT_EQ(parse_int<int>("x", "the port").error().step, "the port: \"x\" is not a valid number");
}

TEST(Text, SplitsAndTrims) {
  EXPECT_EQ(split("a,,b", ','), (Parts{"a", "", "b"}));
  EXPECT_EQ(split("", ','), (Parts{""}));
  EXPECT_EQ(trim(" \t a b\r\n"), "a b");
  EXPECT_EQ(trim(" \n"), "");
}

TEST(Text, WritesHex) { EXPECT_EQ(to_hex(std::string_view("\x00\xff\x1a", 3)), "00ff1a"); }

TEST(Text, KnowsHostNameLabels) {
  EXPECT_TRUE(is_dns_label("a"));
  EXPECT_TRUE(is_dns_label("web-1"));
  EXPECT_TRUE(is_dns_label(std::string(63, 'a')));
  for (const auto& text : {std::string(), std::string(64, 'a'), std::string("-a"), std::string("a-"), std::string("A"),
                           std::string("a.b"), std::string("a_b"), std::string("a/b"), std::string("ä")}) {
    EXPECT_FALSE(is_dns_label(text)) << text;
  }
}

TEST(Rollback, UndoesBackwardsUnlessCommitted) {
  std::string order;
  {
    Rollback rollback;
    rollback.add([&] { order += 'a'; });
    rollback.add([&] { order += 'b'; });
  }
  EXPECT_EQ(order, "ba");
  {
    Rollback rollback;
    rollback.add([&] { order += 'x'; });
    Rollback moved(std::move(rollback));
    moved.commit();
  }
  EXPECT_EQ(order, "ba");
}

TEST(Log, FormatsRecordsForPeopleAndMachines) {
  EXPECT_EQ(log::format_record(log::Format::kText, 0, log::Level::kInfo, "a \"b\"", {{"k", "v\n"}}),
            R"(1970-01-01T00:00:00.000000000Z info a \"b\" k="v\n")");
  EXPECT_EQ(
      log::format_record(log::Format::kJson, 0, log::Level::kError, "m", {{"k", "\x01\xff"}}),
      "{\"time\":\"1970-01-01T00:00:00.000000000Z\",\"level\":\"error\",\"msg\":\"m\",\"k\":\"\\u0001\xEF\xBF\xBD\"}");
}

TEST(Log, EscapesExactlyWhatIsNotUtf8) {
  const auto escaped = [](std::string_view text) {
    std::string out;
    log::append_json_escaped(out, text);
    return out;
  };
  const std::string replacement = "\xEF\xBF\xBD";
  EXPECT_EQ(escaped("grün €😀"), "grün €😀");
  EXPECT_EQ(escaped("\xC0\x80"), replacement + replacement);                    // overlong
  EXPECT_EQ(escaped("\xED\xA0\x80"), replacement + replacement + replacement);  // surrogate
  EXPECT_EQ(escaped("\xF0\x9F"), replacement + replacement);                    // cut off
}

TEST(Log, KnowsItsLevels) {
  EXPECT_EQ(log::parse_level("warning").value(), log::Level::kWarning);
  EXPECT_FALSE(log::parse_level("loud"));
}

}  // namespace
}  // namespace skerry
