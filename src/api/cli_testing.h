// The real program, `skerry`, against the real server over fakes.
#pragma once

#include <unistd.h>

#include "api/api_testing.h"
#include "base/process.h"
#include "base/sys_file.h"

namespace skerry::api::testing {

class CliTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    serve();
  }
  // Runs `skerry ARGUMENTS` with input_ (less than a pipe holds; empty: /dev/null); its output in out_ and err_.
  int skerry(std::vector<std::string> arguments, std::vector<std::string> env = {}) {
    SpawnSpec spec;
    spec.argv = {SKERRY_PROGRAM};
    spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
    env.push_back("SKERRY_SOCKET=" + config_.socket_path);
    spec.env = env;
    auto pipe = sys::pipe().value();
    EXPECT_TRUE(sys::write_all(pipe.write_end.get(), input_));
    pipe.write_end.reset();
    if (!input_.empty()) spec.fds = {{pipe.read_end.get(), STDIN_FILENO}};
    const auto output = run_command(spec, std::chrono::seconds(20), 64U << 20U);
    EXPECT_TRUE(output) << output.error().message();
    if (!output) return -1;
    out_ = output->out;
    err_ = output->err;
    return output->status.shell_code();
  }
  std::string input_;
  std::string out_;
  std::string err_;
};

}  // namespace skerry::api::testing
