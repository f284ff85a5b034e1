// What runs, by the real program against the real server over fakes: run, exec, logs, console.
#include <fcntl.h>

#include <thread>

#include "api/cli_testing.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

TEST_F(CliTest, ARestartPolicyThatWasChosenIsTold) {
  EXPECT_EQ(skerry({"run", "-d", "--name", "a", "--plugin", "web"}), 0) << err_;
  EXPECT_EQ(skerry({"run", "-d", "--name", "b", "--plugin", "web", "--restart", "no"}), 0) << err_;
  ASSERT_TRUE(write_file_atomic(dir_ / "c.json", R"({"image":"localhost/base:1","restart":"no"})", 0600));
  EXPECT_EQ(skerry({"run", "-d", "--name", "c", "--config", dir_ / "c.json"}), 0) << err_;
  const auto created = controller_.creations();
  ASSERT_EQ(created.size(), 3U);
  EXPECT_EQ(created[0].restart_wish, RestartWish::kOpen);
  EXPECT_EQ(created[1].restart_wish, RestartWish::kAsked);
  EXPECT_EQ(created[2].restart_wish, RestartWish::kAsked);
}

TEST_F(CliTest, ResourcesThatWereChosenAreTold) {
  EXPECT_EQ(skerry({"run", "-d", "--name", "a", "--plugin", "web"}), 0) << err_;
  EXPECT_EQ(skerry({"run", "-d", "--name", "b", "--plugin", "web", "--memory", "512", "--cpu", "1"}), 0) << err_;
  const auto created = controller_.creations();
  ASSERT_EQ(created.size(), 2U);
  EXPECT_EQ(created[0].resource_wishes, ResourceWishes{});
  EXPECT_EQ(created[1].resource_wishes, (ResourceWishes{.cpu = true, .memory = true}));
}

TEST_F(CliTest, ADaemonThatGoesLeavesWordOfWhatMayExist) {
  const std::string path = dir_ / "gone.sock";
  const Fd listener = unix_listen(path, 0600).value();
  for (const bool detached : {true, false}) {
    std::thread daemon([&] {
      RawClient connection(Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
      connection.read_until("\"name\":\"job\"");
    });
    std::vector<std::string> words{"run", "--socket", path, "--name", "job", "localhost/base:1"};
    if (detached) words.insert(words.begin() + 1, "-d");
    EXPECT_EQ(skerry(words), 125);
    daemon.join();
    EXPECT_NE(err_.find("\"job\" may exist"), std::string::npos) << err_;
    EXPECT_NE(err_.find("skerry ls"), std::string::npos) << err_;
  }
}

TEST_F(CliTest, AConversationThatBreaksTellsWhereToLook) {
  const std::string path = dir_ / "gone.sock";
  const Fd listener = unix_listen(path, 0600).value();
  std::thread daemon([&] {
    RawClient connection(Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    connection.read_until("\r\n\r\n");
    connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n");
  });
  EXPECT_EQ(skerry({"exec", "--socket", path, "web", "make"}), 125);
  daemon.join();
  EXPECT_NE(err_.find("it may go on (look with: skerry ls, then: skerry exec web ps)"), std::string::npos) << err_;
}

TEST_F(CliTest, WhoGivesUpOnARunThatIsRemovedLeavesNothing) {
  const std::string said = dir_ / "said";
  const Fd errors(::open(said.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  auto pipe = sys::pipe().value();
  SpawnSpec spec;
  spec.argv = {SKERRY_PROGRAM, "run", "--rm", "-i", "--name", "job", "localhost/base:1"};
  spec.env = {{"SKERRY_SOCKET=" + config_.socket_path}};
  spec.fds = {{pipe.read_end.get(), 0}, {errors.get(), 2}};
  auto child = Child::spawn(spec).value();
  const auto deadline = clock_.monotonic() + std::chrono::seconds(20);
  while (!controller_.find("job") && clock_.monotonic() < deadline) std::this_thread::yield();
  // Signals that have not been read yet are one: more than three are sent.
  pollfd ended{child.pidfd(), POLLIN, 0};
  while (::poll(&ended, 1, 20) == 0 && clock_.monotonic() < deadline) static_cast<void>(child.signal(SIGINT));
  const auto status = child.wait(std::chrono::seconds(10));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->shell_code(), 130);
  EXPECT_NE(read_file(said)->find("\"job\" is removed"), std::string::npos) << *read_file(said);
  EXPECT_FALSE(controller_.find("job"));
}

TEST_F(CliTest, RunInTheForegroundEndsWithTheCommandsCode) {
  std::thread ender([&] {
    const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
    while (!controller_.find("job") && clock_.monotonic() < deadline) std::this_thread::yield();
    controller_.end_run("job", 5);
  });
  EXPECT_EQ(skerry({"run", "--rm", "--name", "job", "localhost/base:1", "exit", "5"}), 5);
  ender.join();
  EXPECT_EQ(out_, "out\n");
  EXPECT_EQ(err_, "err\n");
}

TEST_F(CliTest, RunTellsWhyNothingRan) {
  EXPECT_EQ(skerry({"run", "localhost/base:1", "no-such"}), 127);
  EXPECT_EQ(err_, "skerry: \"no-such\" is not in the image\n");
  controller_.fail_next({ErrorCode::kNotExecutable, 0, "\"/etc\" cannot be run", {}});
  EXPECT_EQ(skerry({"run", "-d", "localhost/base:1"}), 126);
  controller_.fail_next({ErrorCode::kResourceExhausted, 0, "no free address", {}});
  EXPECT_EQ(skerry({"run", "-d", "localhost/base:1"}), 125);
}

TEST_F(CliTest, RunPassesEveryFlag) {
  ASSERT_EQ(skerry({"run",
                    "-d",
                    "--name",
                    "all",
                    "--isolation",
                    "microvm",
                    "--kind",
                    "disposable",
                    "--cpu",
                    "1.5",
                    "--memory",
                    "256",
                    "--pids",
                    "50",
                    "-e",
                    "A=1",
                    "-e",
                    "B=x y",
                    "-v",
                    "/a:/b:ro",
                    "-p",
                    "8080:80/udp",
                    "--restart",
                    "on-failure:3",
                    "--user",
                    "1000",
                    "--read-only",
                    "--cap-add",
                    "net_admin",
                    "--cap-drop",
                    "ALL",
                    "--tmpfs",
                    "/t:8",
                    "--dns",
                    "10.0.0.1",
                    "--label",
                    "team=a",
                    "-w",
                    "/srv",
                    "-i",
                    "localhost/base:1",
                    "--",
                    "sh",
                    "-c",
                    "echo"}),
            0)
      << err_;
  EXPECT_EQ(out_, "all\n");
  const auto spec = controller_.creations().at(0).spec;
  EXPECT_EQ(spec.isolation, Isolation::kMicrovm);
  EXPECT_EQ(spec.kind, Kind::kDisposable);
  EXPECT_EQ(spec.resources, (Resources{.cpu_milli = 1500, .memory_mib = 256, .pids = 50}));
  EXPECT_EQ(spec.env, (std::map<std::string, std::string>{{"A", "1"}, {"B", "x y"}}));
  EXPECT_EQ(spec.mounts, (std::vector<BindMount>{{"/a", "/b", true}}));
  EXPECT_EQ(spec.ports, (std::vector<PublishedPort>{{"", 8080, 80, Protocol::kUdp}}));
  EXPECT_EQ(spec.restart.mode, RestartMode::kOnFailure);
  EXPECT_EQ(spec.user, "1000");
  EXPECT_TRUE(spec.security.read_only_root && spec.stdin_open);
  EXPECT_EQ(spec.security.cap_add, std::vector<std::string>{"CAP_NET_ADMIN"});
  EXPECT_EQ(spec.security.cap_drop, std::vector<std::string>{"ALL"});
  EXPECT_EQ(spec.tmpfs, (std::vector<TmpfsMount>{{"/t", 8}}));
  EXPECT_EQ(spec.workdir, "/srv");
  EXPECT_EQ(spec.command, (std::vector<std::string>{"sh", "-c", "echo"}));
}

TEST_F(CliTest, AMissingImageIsPulledOnce) {
  controller_.fail_next({ErrorCode::kNotFound, 0, "image \"localhost/new:1\" is not here", {}});
  EXPECT_EQ(skerry({"run", "-d", "--name", "x", "localhost/new:1"}), 0) << err_;
  EXPECT_NE(err_.find("pulling it"), std::string::npos);
  EventFilter filter;
  filter.type = "image.pulled";
  const auto events = store_->events(filter);
  EXPECT_EQ(events->size(), 1U);
  controller_.fail_next({ErrorCode::kNotFound, 0, "image \"localhost/new:2\" is not here", "pull it"});
  EXPECT_EQ(skerry({"run", "-d", "--pull", "never", "localhost/new:2"}), 125);
}

TEST_F(CliTest, APullThatFailsSaysWhy) {
  images_.on_pull = [](OperationProgress& progress) -> ImagePort::Outcome {
    progress.report("downloading", 1, 2);
    return fail(ErrorCode::kUnavailable, "registry localhost:5000 does not answer", "is it running?");
  };
  EXPECT_EQ(skerry({"images", "pull", "localhost:5000/web"}), 1);
  EXPECT_EQ(err_, "skerry: registry localhost:5000 does not answer (is it running?)\n");
}

TEST_F(CliTest, ExecPassesStreamsAndCode) {
  add_running("web");
  EXPECT_EQ(skerry({"exec", "web", "exit", "7"}), 7);
  EXPECT_EQ(out_, "out\n");
  EXPECT_EQ(err_, "err\n");
  EXPECT_EQ(skerry({"exec", "web", "flood", "3000000"}), 0);
  EXPECT_EQ(out_.size(), 3'000'000U);
  EXPECT_EQ(skerry({"exec", "web", "no-such"}), 127);
  EXPECT_EQ(skerry({"exec", "nobody", "cat"}), 125);
}

TEST_F(CliTest, LogsKeepTheirStreams) {
  add_running("web");
  ASSERT_TRUE(write_file_atomic(dir_ / "log",
                                "2026-11-21T07:30:00.000000000Z stdout F one\n"
                                "2026-11-21T07:30:01.000000000Z stderr F bad\n"
                                "2026-11-21T07:30:02.000000000Z stdout P tw\n"
                                "2026-11-21T07:30:02.000000000Z stdout F o\n",
                                0600));
  EXPECT_EQ(skerry({"logs", "web"}), 0);
  EXPECT_EQ(out_, "one\ntwo\n");
  EXPECT_EQ(err_, "bad\n");
  EXPECT_EQ(skerry({"logs", "--tail", "1", "web"}), 0);
  EXPECT_EQ(out_, "two\n");
}

TEST_F(CliTest, FollowedLogsEndWithTheRun) {
  add_running("web");
  ASSERT_TRUE(write_file_atomic(dir_ / "log", "2026-11-21T07:30:00.000000000Z stdout F first\n", 0600));
  std::thread writer([&] {
    const Fd log(::open((dir_ / "log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    const std::string line = "2026-11-21T07:30:01.000000000Z stdout F last\n";
    ASSERT_EQ(::write(log.get(), line.data(), line.size()), static_cast<ssize_t>(line.size()));
    controller_.end_run("web", 0);
  });
  EXPECT_EQ(skerry({"logs", "-f", "web"}), 0);
  writer.join();
  EXPECT_EQ(out_, "first\nlast\n");
}

TEST_F(CliTest, TheConsoleIsForTerminals) {
  add_running("web");
  EXPECT_EQ(skerry({"console", "web"}), 1);
  EXPECT_NE(err_.find("has no terminal (make it with -t, or run a shell inside: skerry shell web)"), std::string::npos)
      << err_;
  EXPECT_EQ(skerry({"vms", "console", "web"}), 3) << "a container is no VM";
}

TEST_F(CliTest, TheConsoleOfAMicrovmIsItsSerialLine) {
  add_running("guest", Isolation::kMicrovm);
  input_ = "poweroff\n";
  EXPECT_EQ(skerry({"vms", "console", "guest"}), 0) << err_;
  add_running("web");
  EXPECT_EQ(skerry({"console", "--serial", "web"}), 125);
  EXPECT_NE(err_.find("serial line"), std::string::npos) << err_;
}

TEST_F(CliTest, SwitchFreezesOneAndLetsTheOtherGoOn) {
  auto play = add_running("play");
  play.id = "fedcba9876543210";
  play.spec.name = "work";
  controller_.add(play);
  ASSERT_EQ(skerry({"pause", "play"}), 0) << err_;
  EXPECT_EQ(skerry({"switch", "work", "play"}), 0) << err_;
  EXPECT_EQ(out_, "play\n");
  const auto state_of = [&](const std::string& name) {
    return json(client().call("GET", "/api/v1/environments/" + name)).text("state");
  };
  EXPECT_EQ(state_of("work"), "paused");
  EXPECT_EQ(state_of("play"), "running");
  EXPECT_EQ(skerry({"switch", "play", "nobody"}), 3);
  EXPECT_EQ(state_of("play"), "running") << "nothing is frozen for a name that is not there";
  EXPECT_EQ(skerry({"switch", "play", "play"}), 2);
}

TEST_F(CliTest, TheVmsWordsOfTheMicrovmDocument) {
  EXPECT_EQ(skerry({"vms", "create", "nginx-demo", "--plugin", "nginx", "--cpu", "2", "--memory", "1024"}), 0) << err_;
  EXPECT_EQ(out_, "VM nginx-demo created with IP 192.168.127.100\n");
  EXPECT_EQ(controller_.creations().at(0).spec.isolation, Isolation::kMicrovm);
  EXPECT_EQ(skerry({"vms", "list"}), 0);
  EXPECT_NE(out_.find("nginx-demo"), std::string::npos);
  EXPECT_EQ(skerry({"vms", "delete", "-f", "nginx-demo"}), 0);
}

}  // namespace
}  // namespace skerry::api::testing
