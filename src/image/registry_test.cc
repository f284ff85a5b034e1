#include "image/registry.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

struct Case {
  const char* said;
  ErrorCode code;
  const char* means;
};

// What skopeo 1.9 says, word for word.
constexpr Case kCases[] = {
    {R"(time="…" level=fatal msg="Error parsing image name \"docker://127.0.0.1:1/a:1\": pinging container registry )"
     R"(127.0.0.1:1: Get \"http://127.0.0.1:1/v2/\": dial tcp 127.0.0.1:1: connect: connection refused")",
     ErrorCode::kUnavailable, "connection refused"},
    {R"(level=fatal msg="reading manifest here in 127.0.0.1:5000/nothing: manifest unknown: manifest unknown")",
     ErrorCode::kNotFound, "no such image"},
    {R"(level=fatal msg="reading manifest 1 in r/x: name unknown: repository name not known to registry")",
     ErrorCode::kNotFound, "no such image"},
    {R"(level=fatal msg="writing blob: storing blob to file \"/s/dir-put-blob1\": write /s/x: no space left on device")",
     ErrorCode::kResourceExhausted, "disk is full"},
    {R"(level=fatal msg="reading manifest latest in docker.io/no/such: requested access to the resource is denied")",
     ErrorCode::kPermissionDenied, "credentials"},
    {R"(level=fatal msg="pinging container registry r.example: Get \"https://r.example/v2/\": )"
     R"(http: server gave HTTP response to HTTPS client")",
     ErrorCode::kUnavailable, "plain HTTP"},
    {R"(level=fatal msg="writing blob: Digest did not match, expected sha256:a, got sha256:b")", ErrorCode::kCorrupt,
     "digest does not match"},
    {"something nobody has seen yet", ErrorCode::kUnavailable, "something nobody has seen yet"},
};

TEST(Registry, ExplainsWhatSkopeoSays) {
  for (const auto& [said, code, means] : kCases) {
    const Error error = explain_transfer_failure(said, "r.example/a:1", "r.example");
    EXPECT_EQ(error.code, code) << said;
    EXPECT_NE(error.step.find(means), std::string::npos) << error.step;
    EXPECT_NE(error.step.find("r.example/a:1 from registry r.example"), std::string::npos) << error.step;
    EXPECT_EQ(error.step.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace skerry
