#include "keeper/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::keeper {
namespace {

using ::testing::HasSubstr;

KeeperRunSpec full_run() {
  KeeperRunSpec spec;
  spec.run_dir = "/run/e";
  spec.log_path = "/var/log/e";
  spec.log_max_bytes = 5000;
  spec.log_files = 3;
  spec.terminal = true;
  spec.terminal_size = {132, 43};
  spec.stdin_mode = StdinMode::kOpen;
  spec.channels = {{"agent", 3, ChannelMode::kFramed}, {"qmp", 4, ChannelMode::kRaw}, {"c", 5, ChannelMode::kConsole}};
  spec.preserve_fds = {7, 8};
  spec.runtime_fds = {10, 11};
  spec.root_fd = 11;
  spec.sync_fd = 9;
  spec.runtime = "/usr/bin/skerry-oci";
  spec.runtime_args = {"--root", "/run/oci"};
  spec.bundle = "/b";
  spec.id = "e1";
  return spec;
}

std::string error_of(const std::vector<std::string>& args) {
  const auto parsed = parse_options(args);
  return parsed ? "no error" : parsed.error().message();
}

TEST(Options, ReadsWhatKeeperArgumentsWrites) {
  const auto spec = full_run();
  EXPECT_EQ(std::get<KeeperRunSpec>(parse_options(keeper_arguments(spec)).value()), spec);
  KeeperExecSpec exec;
  exec.program_fd = 4;
  exec.socket_fd = 5;
  exec.runtime = "/r";
  exec.runtime_args = {"--root=/x"};
  exec.id = "e1";
  exec.process_file = "/p.json";
  exec.terminal = true;
  exec.terminal_size = {100, 50};
  EXPECT_EQ(std::get<KeeperExecSpec>(parse_options(keeper_arguments(exec)).value()), exec);
}

TEST(Options, TakesTheEqualsForm) {
  const auto parsed = parse_options({"run", "--dir=/d", "--log=/l", "--runtime=/r", "--bundle=/b", "--id=i=j"});
  EXPECT_EQ(std::get<KeeperRunSpec>(parsed.value()).id, "i=j");
}

TEST(Options, NamesWhatIsWrong) {
  EXPECT_THAT(error_of({}), HasSubstr("expected"));
  EXPECT_THAT(error_of({"fly"}), HasSubstr("fly"));
  EXPECT_THAT(error_of({"run", "--speed", "9"}), HasSubstr("--speed"));
  EXPECT_THAT(error_of({"run", "--dir"}), HasSubstr("--dir needs a value"));
  EXPECT_THAT(error_of({"run", "--dir", "/d"}), HasSubstr("--log is missing"));
  EXPECT_THAT(error_of({"run", "--log-files", "0"}), HasSubstr("at least 1"));
  EXPECT_THAT(error_of({"run", "--log-max-bytes", "-1"}), HasSubstr("--log-max-bytes"));
  EXPECT_THAT(error_of({"run", "--stdin", "maybe"}), HasSubstr("open or null"));
  EXPECT_THAT(error_of({"run", "--channel", "agent:3"}), HasSubstr("NAME:FD:MODE"));
  EXPECT_THAT(error_of({"run", "--channel", "../x:3:raw"}), HasSubstr("../x"));
  EXPECT_THAT(error_of({"run", "--channel", "attach:3:raw"}), HasSubstr("attach"));
  EXPECT_THAT(error_of({"run", "--channel", "agent:2:raw"}), HasSubstr("start at 3"));
  EXPECT_THAT(error_of({"run", "--channel", "agent:3:loud"}), HasSubstr("loud"));
  EXPECT_THAT(error_of({"run", "--tty-size", "80"}), HasSubstr("COLUMNSxROWS"));
  EXPECT_THAT(error_of({"exec", "--runtime", "/r"}), HasSubstr("--socket-fd is missing"));
}

TEST(Options, ACompanionIsAProcessWithAName) {
  auto spec = full_run();
  spec.companion = KeeperCompanion{"its server: one", 77, 123456};
  const auto parsed = parse_options(keeper_arguments(spec));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<KeeperRunSpec>(*parsed), spec);
  for (const auto* text : {"7", "7:8", "7:8:", "0:1:x", "-1:1:x", "x:1:y", "7:x:y"}) {
    EXPECT_THAT(error_of({"run", "--companion", text}), HasSubstr("--companion")) << text;
  }
}

TEST(Options, AGuestSocketIsForAFramedChannel) {
  auto spec = full_run();
  spec.guest_socket = "/run/x/guest.sock";
  const auto parsed = parse_options(keeper_arguments(spec));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::get<KeeperRunSpec>(*parsed), spec);
  spec.channels.clear();
  EXPECT_THAT(error_of(keeper_arguments(spec)), HasSubstr("--guest-socket is for a framed channel"));
}

TEST(Options, RefusesOneNumberForTwoDescriptors) {
  auto spec = full_run();
  spec.preserve_fds = {4};
  EXPECT_THAT(error_of(keeper_arguments(spec)), HasSubstr("same number"));
  spec.preserve_fds = {};
  spec.channels.push_back({"second", 6, ChannelMode::kFramed});
  EXPECT_THAT(error_of(keeper_arguments(spec)), HasSubstr("only one"));
  spec = full_run();
  spec.root_fd = 7;
  EXPECT_THAT(error_of(keeper_arguments(spec)), HasSubstr("--root-fd"));
}

}  // namespace
}  // namespace skerry::keeper
