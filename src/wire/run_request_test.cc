#include "wire/run_request.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "wire/environment_json.h"
#include "wire/json_node.h"

namespace skerry::wire {
namespace {

TEST(RunRequest, CodeBecomesAnArgumentOfItsInterpreter) {
  const auto request = parse_run_code(R"({"image":"a","language":"python","code":"print 1","timeout_ms":5})");
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->command, (std::vector<std::string>{"python3", "-c", "print 1"}));
  EXPECT_EQ(request->timeout_ms, 5U);
}

TEST(RunRequest, FilesAreTextOrBase64) {
  const auto request = parse_run_command(
      R"({"image":"a","command":["x"],"files":[{"path":"/a","text":"b"},{"path":"/c","base64":"/w=="}],"outputs":["/o"]})");
  ASSERT_TRUE(request) << request.error().message();
  EXPECT_EQ(request->files.at(0).content, "b");
  EXPECT_EQ(request->files.at(1).content, "\xff");
  EXPECT_EQ(request->outputs, std::vector<std::string>{"/o"});
}

TEST(RunRequest, WhatIsWrongNamesTheArgument) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"({"command":["x"]})", "image"},
      {R"({"image":"a"})", "command"},
      {R"({"image":"a","command":"x"})", "command"},
      {R"({"image":"a","command":["x"],"timeout_ms":0})", "timeout_ms"},
      {R"({"image":"a","command":["x"],"timeout_ms":600001})", "timeout_ms"},
      {R"({"image":"a","command":["x"],"colour":1})", "colour"},
      {R"({"image":"a","command":["x"],"files":[{"path":"b","text":""}]})", "files[0].path"},
      {R"({"image":"a","command":["x"],"files":[{"path":"/b/","text":""}]})", "files[0].path"},
      {R"({"image":"a","command":["x"],"files":[{"path":"/b"}]})", "files[0].text"},
      {R"({"image":"a","command":["x"],"files":[{"path":"/b","text":"","base64":""}]})", "files[0].text"},
      {R"({"image":"a","command":["x"],"files":[{"path":"/b","base64":"?"}]})", "files[0].base64"},
      {R"({"image":"a","command":["x"],"files":[{"path":"/b","content":""}]})",
       "files[0].content: is not a known field"},
      {R"({"image":"a","command":["x"],"outputs":["b"]})", "outputs"},
      {R"({"image":"a","command":["x"],"cpu_cores":0})", "cpu_cores"},
  };
  for (const auto& [text, name] : cases) {
    const auto request = parse_run_command(text);
    ASSERT_FALSE(request) << text;
    EXPECT_NE(request.error().message().find(name), std::string::npos) << request.error().message();
  }
  EXPECT_FALSE(parse_run_code(R"({"image":"a","language":"cobol","code":"x"})"));
  EXPECT_FALSE(parse_run_code(R"({"image":"a","language":"sh"})"));
  EXPECT_FALSE(
      parse_run_code(cat(R"({"image":"a","language":"sh","code":")", std::string(kMaxCodeBytes + 1, 'x'), "\"}")));
}

TEST(RunRequest, TheEnvironmentEndsByItself) {
  auto request =
      parse_run_command(R"({"image":"a","command":["x"],"timeout_ms":5000,"zone":"z","memory_mb":64})").value();
  const auto create = parse_create_request(run_environment_json(request, "run-1"));
  ASSERT_TRUE(create) << create.error().message();
  const auto& spec = create->command.spec;
  EXPECT_EQ(spec.kind, Kind::kDisposable);
  EXPECT_TRUE(spec.auto_remove);
  EXPECT_EQ(spec.zone, "z");
  EXPECT_EQ(spec.resources.memory_mib, 64U);
  EXPECT_EQ(spec.entrypoint, std::vector<std::string>{"sleep"});
  EXPECT_EQ(spec.command, std::vector<std::string>{"125"});
}

TEST(RunOutput, SaysWhyItEnded) {
  RunOutput output;
  output.exit_code = 137;
  output.oom_killed = true;
  output.reason = "killed: out of memory";
  const auto told = JsonNode::parse(run_output_json(output)).value();
  EXPECT_TRUE(told.at("oom_killed").flag());
  EXPECT_EQ(told.text("reason"), "killed: out of memory");
  EXPECT_TRUE(JsonNode::parse(run_output_json({}))->at("reason").is_null());
}

TEST(RunOutput, FilesAreTextWhenTheyCanBe) {
  RunOutput output;
  output.exit_code = 3;
  for (const std::string_view content :
       {"plain", "\xc3\xa4", "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"}) {
    output.files.push_back({"/f", std::string(content), false, {}});
  }
  output.files.push_back({"/g", "", false, "not there"});
  const auto files = JsonNode::parse(run_output_json(output))->at("files").items();
  ASSERT_EQ(files.size(), 8U);
  EXPECT_EQ(files[0].text("text"), "plain");
  EXPECT_EQ(files[1].text("text"), "\xc3\xa4");
  for (std::size_t i = 2; i < 7; ++i) EXPECT_TRUE(files[i].at("base64").is_string()) << i;
  EXPECT_EQ(files[7].text("error"), "not there");
}

}  // namespace
}  // namespace skerry::wire
