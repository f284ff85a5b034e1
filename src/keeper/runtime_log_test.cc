#include "keeper/runtime_log.h"

#include <gtest/gtest.h>

#include "keeper/runtime_call.h"

namespace skerry::keeper {
namespace {

TEST(RuntimeLog, TakesTheLastErrorOfTheLog) {
  const std::string log = R"({"level":"error","msg":"first","time":"2026-11-21T07:30:00Z"})"
                          "\n"
                          R"({"msg": "second \"quoted\"\n\u00e9\u20ac", "level": "error"})"
                          "\n"
                          R"({"level":"warning","msg":"harmless"})"
                          "\n";
  EXPECT_EQ(last_error(log), "second \"quoted\"\n\xc3\xa9\xe2\x82\xac");
}

TEST(RuntimeLog, SkipsWhatIsNotALogLine) {
  EXPECT_EQ(last_error(""), "");
  EXPECT_EQ(last_error("plain text\n{\"level\":\"error\",\"msg\":\"cut"), "");
  EXPECT_EQ(last_error("{\"level\":\"error\",\"n\":12,\"b\":true,\"msg\":\"x\"}"), "x");
  EXPECT_EQ(last_error("{\"level\":\"error\",\"msg\":\"bad \\u12\"}"), "");
}

TEST(RuntimeError, TellsACommandThatIsMissingFromOneThatCannotRun) {
  const auto runc_missing =
      R"(exec failed: unable to start container process: exec: "nope": executable file not found in $PATH)";
  EXPECT_EQ(classify_runtime_error(255, runc_missing), ErrorCode::kCommandNotFound);
  EXPECT_EQ(classify_runtime_error(1, "executable file `nope` not found in $PATH: No such file or directory"),
            ErrorCode::kCommandNotFound);
  EXPECT_EQ(classify_runtime_error(255, R"(exec: "/etc/passwd": permission denied)"), ErrorCode::kNotExecutable);
  EXPECT_EQ(classify_runtime_error(1, "exec /bin/x: Exec format error"), ErrorCode::kNotExecutable);
  EXPECT_EQ(classify_runtime_error(127, "?"), ErrorCode::kCommandNotFound);
  EXPECT_EQ(classify_runtime_error(126, "?"), ErrorCode::kNotExecutable);
  EXPECT_EQ(classify_runtime_error(1, "mount /proc: permission denied"), ErrorCode::kInternal);
}

}  // namespace
}  // namespace skerry::keeper
