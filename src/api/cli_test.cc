// The real program against the real server over fakes: words, tables, exit codes.
#include <fcntl.h>

#include <thread>

#include "api/cli_testing.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

TEST_F(CliTest, UsageErrorsExitWithTwoAndOneLine) {
  const std::vector<std::vector<std::string>> bad = {{},
                                                     {"fly"},
                                                     {"images", "fly"},
                                                     {"run"},
                                                     {"run", "--fly", "x"},
                                                     {"run", "-p", "x", "image"},
                                                     {"run", "--cpu", "many", "image"},
                                                     {"run", "--isolation", "jail", "image"},
                                                     {"run", "--memory", "-1", "image"},
                                                     {"run", "-v", "a:b", "image"},
                                                     {"run", "-t", "image"},
                                                     {"exec", "web"},
                                                     {"ls", "--output", "xml"},
                                                     {"run", "-d", "-e", "A=\xff", "image"}};
  for (const auto& arguments : bad) {
    EXPECT_EQ(skerry(arguments), 2) << join(arguments, " ");
    EXPECT_TRUE(err_.starts_with("skerry: ")) << err_;
    EXPECT_EQ(split(err_, '\n').size(), 2U) << "one line: " << err_;
    EXPECT_EQ(out_, "");
  }
}

TEST_F(CliTest, UsageErrorsNameTheVerbAndWhatWasMeant) {
  skerry({"imges"});
  EXPECT_EQ(err_, "skerry: there is no command \"imges\" (did you mean \"images\"? see: skerry --help)\n");
  skerry({"images", "pul"});
  EXPECT_NE(err_.find("did you mean \"pull\"? see: skerry images --help"), std::string::npos) << err_;
  skerry({"ls", "b", "a"});
  EXPECT_EQ(err_, "skerry: unexpected: b a (see: skerry ls --help)\n");
  skerry({"run", "--memory", "1x", "image"});
  EXPECT_NE(err_.find("see: skerry run --help"), std::string::npos) << err_;
}

TEST_F(CliTest, UsageErrorsAreInOurWords) {
  skerry({"deployments", "rollback", "web", "2"});
  EXPECT_EQ(err_, "skerry: one NAME only; unexpected: 2 (see: skerry deployments rollback --help)\n");
  skerry({"run", "--pids", "many", "image"});
  EXPECT_EQ(err_, "skerry: --pids: \"many\" is not a number (see: skerry run --help)\n");
  skerry({"run", "--name"});
  EXPECT_EQ(err_, "skerry: --name needs a value (see: skerry run --help)\n");
}

TEST_F(CliTest, WordsBehindTwoDashesAreNeverOurOptions) {
  const auto command_of = [&](const std::vector<std::string>& arguments) {
    EXPECT_EQ(skerry(arguments), 0) << join(arguments, " ") << ": " << err_;
    const auto created = controller_.creations();
    return created.empty() ? std::vector<std::string>{"nothing"} : created.back().spec.command;
  };
  ASSERT_TRUE(write_file_atomic(dir_ / "c.json", R"({"image":"localhost/base:1"})", 0600));
  using Words = std::vector<std::string>;
  EXPECT_EQ(command_of({"run", "-d", "--plugin", "web", "--name", "a", "--", "httpd", "-f", "-p", "80", "-h"}),
            (Words{"httpd", "-f", "-p", "80", "-h"}));
  EXPECT_EQ(command_of({"run", "--config", dir_ / "c.json", "-d", "--name", "b", "--", "--", "--help"}),
            (Words{"--", "--help"}));
  EXPECT_EQ(command_of({"run", "-d", "--name", "c", "--", "localhost/base:1", "echo", "-h"}), (Words{"echo", "-h"}));
  EXPECT_EQ(command_of({"run", "-d", "--name", "d", "localhost/base:1", "--", "echo", "--help"}),
            (Words{"echo", "--help"}));
  EXPECT_EQ(command_of({"run", "-d", "--name", "e", "localhost/base:1", "sh", "--", "-h"}), (Words{"sh", "--", "-h"}));
  EXPECT_EQ(command_of({"--socket", config_.socket_path, "create", "--name", "f", "--", "localhost/base:1", "-h"}),
            (Words{"-h"}));
  EXPECT_EQ(skerry({"run", "-d", "--"}), 2) << "nothing to run";
  EXPECT_EQ(skerry({"run", "--name", "--", "x"}), 2) << "no value is taken from behind";
  add_running("web");
  EXPECT_EQ(skerry({"exec", "--", "web", "exit", "7"}), 7);
}

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

TEST_F(CliTest, ConfigurationsInBothForms) {
  const std::string ours = dir_ / "run.json";
  const std::string request = dir_ / "request.json";
  ASSERT_TRUE(write_file_atomic(
      ours,
      R"({"name":"x","image":"localhost/base:1","command":"/bin/echo","args":["hi"],"resources":{"memory_limit_mb":64}})",
      0600));
  ASSERT_TRUE(write_file_atomic(
      request, R"({"image":"localhost/base:1","command":["/bin/echo","hi"],"resources":{"memory_mb":64}})", 0600));
  for (const auto& file : {ours, request}) {
    ASSERT_EQ(skerry({"run", "-d", "--name", file == ours ? "a" : "b", "--config", file}), 0) << err_;
    const auto spec = controller_.creations().back().spec;
    EXPECT_EQ(spec.command, (std::vector<std::string>{"/bin/echo", "hi"}));
    EXPECT_EQ(spec.resources.memory_mib, 64U);
    const std::string name = file == ours ? "da" : "db";
    EXPECT_EQ(skerry({"deployments", "create", name, "--config", file, "--replicas", "0"}), 0) << err_;
    EXPECT_EQ(skerry({"deployments", "show", name}), 0);
    const auto config = wire::JsonNode::parse(out_)->at("config");
    EXPECT_EQ(config.at("command").dump(), R"(["/bin/echo","hi"])") << out_;
    EXPECT_EQ(config.integer("resources.memory_mb"), 64) << out_;
  }
  ASSERT_TRUE(write_file_atomic(ours, "{\n  \"image\": ,\n}", 0600));
  EXPECT_EQ(skerry({"run", "--config", ours}), 2);
  EXPECT_NE(err_.find("not JSON: line 2, column 12: unexpected ','"), std::string::npos) << err_;
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

TEST_F(CliTest, TheMcpBridgeAnswersWhatWasAskedBeforeItEnds) {
  add_running("web");
  // Longer than any patience at the end of the input; the daemon's answer comes when the request's own time is up.
  const std::string request =
      R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"exec_in_environment","arguments":{"name":"web","command":["sleep"],"timeout_ms":2500}}})";
  SpawnSpec spec;
  spec.argv = {"sh", "-c", R"(printf '%s\n' "$2" | "$1" mcp)", "sh", SKERRY_PROGRAM, request};
  spec.env = {{"SKERRY_SOCKET=" + config_.socket_path}};
  const auto output = run_command(spec, std::chrono::seconds(20));
  ASSERT_TRUE(output) << output.error().message();
  EXPECT_EQ(output->status.shell_code(), 0);
  const auto answer = wire::JsonNode::parse(output->out);
  ASSERT_TRUE(answer) << output->out;
  EXPECT_EQ(answer->integer("id"), 7);
  EXPECT_TRUE(answer->at("result.structuredContent.timed_out").flag()) << output->out;
}

TEST_F(CliTest, WordsOfOtherToolsWork) {
  add_running("web");
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"ps"},
                                                                                     {"inspect", "web"},
                                                                                     {"version"},
                                                                                     {"help"},
                                                                                     {"help", "images", "pull"},
                                                                                     {"token", "list"},
                                                                                     {"images"},
                                                                                     {"plugins"},
                                                                                     {"deployments"},
                                                                                     {"token"},
                                                                                     {"vms"},
                                                                                     {"man", "images", "build"},

                                                                                     {"stop", "-t", "1", "web"}}) {
    EXPECT_EQ(skerry(words), 0) << join(words, " ") << ": " << err_;
    EXPECT_NE(out_, "") << join(words, " ");
  }
}

TEST_F(CliTest, SizesPortsAndPathsAsPeopleWriteThem) {
  ASSERT_EQ(skerry({"run", "-d", "--name", "web", "-m", "1g", "-p", "80", "-v", "data:/data:ro", "localhost/base:1"}),
            0)
      << err_;
  const auto spec = controller_.find("web")->spec;
  EXPECT_EQ(spec.resources.memory_mib, 1024U);
  EXPECT_EQ(spec.ports.at(0).host_port, 80);
  EXPECT_EQ(spec.ports.at(0).guest_port, 80);
  EXPECT_TRUE(spec.mounts.at(0).source.starts_with('/')) << spec.mounts.at(0).source;
  EXPECT_TRUE(spec.mounts.at(0).source.ends_with("/data"));
}

TEST_F(CliTest, TheSocketFollowsTheRunDirectory) {
  const auto directory = config_.socket_path.substr(0, config_.socket_path.rfind('/'));
  SpawnSpec spec;
  spec.argv = {SKERRY_PROGRAM, "ls"};
  spec.env = {{"SKERRY_RUN_DIR=" + directory + "/none"}};
  const auto output = run_command(spec, std::chrono::seconds(20), 1U << 20U);
  ASSERT_TRUE(output);
  EXPECT_NE(output->err.find(directory + "/none/skerryd.sock"), std::string::npos) << output->err;
}

TEST_F(CliTest, FiltersAreUnderstoodOrRefused) {
  ASSERT_EQ(skerry({"run", "-d", "--name", "a", "--label", "tier=web", "localhost/base:1"}), 0);
  add_running("b");
  EXPECT_EQ(skerry({"ls", "-q", "--filter", "label=tier=web"}), 0);
  EXPECT_EQ(out_, "a\n");
  EXPECT_EQ(skerry({"ls", "--filter", "colour=red"}), 2);
  EXPECT_NE(err_.find("colour"), std::string::npos) << err_;
  EXPECT_EQ(skerry({"ls", "--filter", "state=running", "--filter", "state=failed"}), 2);
}

TEST_F(CliTest, EveryVerbHasHelp) {
  for (const auto* verb :
       {"run", "ls", "exec", "logs", "rm", "images", "events", "token", "vms", "plugins", "deployments"}) {
    EXPECT_EQ(skerry({verb, "--help"}), 0) << verb;
    EXPECT_NE(out_, "");
  }
  skerry({"run", "--help"});
  EXPECT_NE(out_.find("Usage: skerry run [OPTIONS] IMAGE|PLUGIN [COMMAND…]\n"), std::string::npos) << out_;
  skerry({"vms", "exec", "--help"});
  EXPECT_NE(out_.find("Usage: skerry vms exec [OPTIONS] NAME COMMAND…\n"), std::string::npos) << out_;
  skerry({"update", "--help"});
  EXPECT_NE(out_.find("while it does not run"), std::string::npos) << out_;
  skerry({"man", "images", "build"});
  EXPECT_NE(out_.find("skerry images build"), std::string::npos) << out_;
  EXPECT_EQ(skerry({"man", "images", "fly"}), 3);
}

TEST_F(CliTest, ListsAsATableAndAsJson) {
  add_running("web");
  EXPECT_EQ(skerry({"ls"}), 0);
  EXPECT_TRUE(out_.starts_with("NAME ")) << out_;
  EXPECT_NE(out_.find("web "), std::string::npos);
  EXPECT_EQ(skerry({"ls", "--output", "json"}), 0);
  EXPECT_EQ(wire::JsonNode::parse(out_)->items().at(0).text("name"), "web");
  EXPECT_EQ(skerry({"ls", "-q"}), 0);
  EXPECT_EQ(out_, "web\n");
}

TEST_F(CliTest, KernelsAreAddedBuiltChosenAndRemoved) {
  EXPECT_EQ(skerry({"kernels"}), 0);
  EXPECT_NE(out_.find(" host     yes "), std::string::npos) << out_;
  EXPECT_EQ(skerry({"kernels", "add", "mine", "/somewhere/vmlinux"}), 0) << err_;
  EXPECT_NE(out_.find("skerry kernels use mine"), std::string::npos) << out_;
  EXPECT_EQ(skerry({"kernels", "build", "-q"}), 0) << err_;
  EXPECT_EQ(out_, "6.1.1-skerry\n");
  EXPECT_EQ(skerry({"kernels", "use", "mine"}), 0) << err_;
  EXPECT_EQ(skerry({"kernels", "ls", "--output", "json"}), 0);
  EXPECT_TRUE(wire::JsonNode::parse(out_)->items().at(1).at("chosen").flag()) << out_;
  EXPECT_EQ(skerry({"kernels", "use"}), 2);
  EXPECT_EQ(skerry({"kernels", "use", "nobody"}), 3);
  EXPECT_EQ(skerry({"kernels", "use", "--default"}), 0) << err_;
  EXPECT_EQ(skerry({"kernels", "rm", "mine", "nobody"}), 3);
  EXPECT_EQ(skerry({"kernels", "ls", "-q"}), 0);
  EXPECT_EQ(out_, "6.1.0-9-cloud-amd64\n6.1.1-skerry\n");
  EXPECT_EQ(skerry({"events"}), 0);
  for (const auto* type : {"kernel.added", "kernel.built", "kernel.chosen", "kernel.removed"}) {
    EXPECT_NE(out_.find(type), std::string::npos) << type << "\n" << out_;
  }
}

TEST_F(CliTest, ManifestsFromAnywhereAndPluginsByTheirName) {
  const auto manifest = [](std::string_view name) {
    return cat(R"({"name":")", name, R"(","version":"1","image":"localhost/base:1"})");
  };
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", manifest("by-text")}), 0) << err_;
  input_ = manifest("by-input");
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", "-"}), 0) << err_;
  input_.clear();
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", "http://127.0.0.1:1/none.json"}), 1);
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", dir_ / "none.json"}), 2);

  EXPECT_EQ(skerry({"run", "-d", "--name", "a", "by-text"}), 0) << err_;
  EXPECT_EQ(skerry({"run", "-d", "--name", "b", "by-input@1"}), 0) << err_;
  EXPECT_EQ(skerry({"run", "-d", "--name", "c", "localhost/base:1"}), 0) << err_;
  const auto created = controller_.creations();
  ASSERT_EQ(created.size(), 3U);
  EXPECT_EQ(created[0].spec.plugin, "by-text");
  EXPECT_EQ(created[0].spec.image, "");
  EXPECT_EQ(created[1].spec.plugin_version, "1");
  EXPECT_EQ(created[2].spec.image, "localhost/base:1");
}

TEST_F(CliTest, AVersionForProgramsAndNoLimitForWhatIsFollowed) {
  EXPECT_EQ(skerry({"version", "--output", "json"}), 0) << err_;
  EXPECT_FALSE(wire::JsonNode::parse(out_)->text("version").empty()) << out_;
  EXPECT_EQ(skerry({"events", "-f", "--limit", "3"}), 2);
  EXPECT_NE(err_.find("--limit"), std::string::npos) << err_;
}

TEST_F(CliTest, NotFoundIsThreeRefusedIsFour) {
  EXPECT_EQ(skerry({"show", "nobody"}), 3);
  EXPECT_EQ(err_, "skerry: environment \"nobody\" does not exist (see: skerry ls)\n");
  add_running("web");
  controller_.fail_next({ErrorCode::kRefused, 0, "policy says no", {}});
  EXPECT_EQ(skerry({"stop", "web"}), 4);
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

TEST_F(CliTest, CommandLineOverVariablesOverFile) {
  ASSERT_TRUE(
      write_file_atomic(dir_ / "run.json",
                        R"({"name":"file","image":"localhost/base:1","resources":{"memory_limit_mb":10,"cpu_limit":1,)"
                        R"("process_limit":7}})",
                        0600));
  ASSERT_EQ(
      skerry({"run", "-d", "--config", dir_ / "run.json", "--memory", "30"}, {"SKERRY_MEMORY=20", "SKERRY_CPU=2"}), 0)
      << err_;
  const auto spec = controller_.creations().at(0).spec;
  EXPECT_EQ(spec.name, "file");
  EXPECT_EQ(spec.resources, (Resources{.cpu_milli = 2000, .memory_mib = 30, .pids = 7}));
  ASSERT_TRUE(write_file_atomic(dir_ / "bad.json", R"({"image":"x","resources":{"memory":1}})", 0600));
  EXPECT_EQ(skerry({"run", "-d", "--config", dir_ / "bad.json"}), 2);
  EXPECT_NE(err_.find("resources.memory: is not a known field"), std::string::npos) << err_;
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

TEST_F(CliTest, TheVmsWordsOfTheMicrovmDocument) {
  EXPECT_EQ(skerry({"vms", "create", "nginx-demo", "--plugin", "nginx", "--cpu", "2", "--memory", "1024"}), 0) << err_;
  EXPECT_EQ(out_, "VM nginx-demo created with IP 192.168.127.100\n");
  EXPECT_EQ(controller_.creations().at(0).spec.isolation, Isolation::kMicrovm);
  EXPECT_EQ(skerry({"vms", "list"}), 0);
  EXPECT_NE(out_.find("nginx-demo"), std::string::npos);
  EXPECT_EQ(skerry({"vms", "delete", "-f", "nginx-demo"}), 0);
}

TEST_F(CliTest, SaysHowToReachADaemonThatIsNotThere) {
  EXPECT_EQ(skerry({"--socket", dir_ / "none", "ls"}), 1);
  EXPECT_NE(err_.find("skerryd does not answer"), std::string::npos);
  EXPECT_EQ(skerry({"ls", "--socket", dir_ / "none"}), 1) << "the flag wins over the variable";
  EXPECT_EQ(skerry({"doctor", "--socket", dir_ / "none"}), 1);
  EXPECT_NE(out_.find("kernel"), std::string::npos) << "the doctor works without the daemon";
}

TEST_F(CliTest, PluginsFromManifestToRemoval) {
  ASSERT_TRUE(write_file_atomic(dir_ / "p.json",
                                R"({"name":"p","version":"1.0","runtime":"r","image":"localhost/base:1"})", 0600));
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", dir_ / "p.json"}), 0) << err_;
  EXPECT_EQ(skerry({"plugins", "install", "--manifest", dir_ / "p.json"}), 1) << "installed already";
  EXPECT_EQ(skerry({"plugins", "disable", "p"}), 0);
  EXPECT_EQ(skerry({"plugins", "list"}), 0);
  EXPECT_NE(out_.find("no "), std::string::npos) << out_;
  EXPECT_EQ(skerry({"plugins", "remove", "p"}), 0) << err_;
  EXPECT_EQ(skerry({"plugins", "show", "p"}), 3);
  std::vector<std::string> types;
  const auto events = store_->events({}).value();
  for (const auto& event : events) types.push_back(event.type);
  EXPECT_EQ(types, (std::vector<std::string>{"plugin.installed", "plugin.disabled", "plugin.removed"}));
}

TEST_F(CliTest, TheConsoleIsForTerminals) {
  add_running("web");
  EXPECT_EQ(skerry({"console", "web"}), 1);
  EXPECT_NE(err_.find("has no terminal (make it with -t, or run a shell inside: skerry shell web)"), std::string::npos)
      << err_;
  EXPECT_EQ(skerry({"vms", "console", "web"}), 3) << "a container is no VM";
}

TEST_F(CliTest, TheConsoleOfAMicrovmIsItsSerialLine) {
  Environment guest;
  guest.id = "0123456789abcdee";
  guest.spec.name = "guest";
  guest.spec.image = "localhost/base:1";
  guest.spec.isolation = Isolation::kMicrovm;
  guest.status.state = State::kRunning;
  controller_.add(guest);
  input_ = "poweroff\n";
  EXPECT_EQ(skerry({"vms", "console", "guest"}), 0) << err_;
  add_running("web");
  EXPECT_EQ(skerry({"console", "--serial", "web"}), 125);
  EXPECT_NE(err_.find("serial line"), std::string::npos) << err_;
}

TEST_F(CliTest, VersionsOfAPluginSideBySide) {
  const auto install = [&](const std::string& version) {
    const auto manifest = cat(R"({"name":"p","version":")", version, R"(","image":"localhost/base:1"})");
    EXPECT_TRUE(write_file_atomic(dir_ / "p.json", manifest, 0600));
    return skerry({"plugins", "install", "--manifest", dir_ / "p.json"});
  };
  EXPECT_EQ(install("1.9"), 0) << err_;
  EXPECT_EQ(install("1.10"), 0) << err_;
  EXPECT_EQ(skerry({"plugins", "ls"}), 0);
  EXPECT_LT(out_.find("1.10"), out_.find("1.9")) << out_;
  EXPECT_EQ(skerry({"plugins", "show", "p"}), 0);
  EXPECT_NE(out_.find("1.10"), std::string::npos);
  EXPECT_EQ(skerry({"plugins", "show", "p@1.9"}), 0);
  EXPECT_NE(out_.find("1.9"), std::string::npos);
  EXPECT_EQ(skerry({"plugins", "show", "p@2"}), 3);
  EXPECT_EQ(skerry({"plugins", "disable", "p@1.10"}), 0) << err_;
  EXPECT_EQ(skerry({"deployments", "create", "web", "--plugin", "p", "--replicas", "0"}), 0) << err_;
  EXPECT_EQ(skerry({"deployments", "ls"}), 0);
  EXPECT_NE(out_.find("p@1.9"), std::string::npos) << "the newest enabled one: " << out_;
  EXPECT_EQ(skerry({"plugins", "remove", "p@1.10"}), 0) << err_;
  EXPECT_EQ(skerry({"plugins", "remove", "p"}), 1);
  EXPECT_NE(err_.find("in use by deployment web"), std::string::npos) << err_;
  EXPECT_EQ(skerry({"plugins", "remove", "p@1.9", "--force"}), 0) << err_;
  EXPECT_EQ(skerry({"deployments", "show", "web"}), 0);
  EXPECT_NE(out_.find("p@1.9\\\" is not installed any more"), std::string::npos) << out_;
}

// The shorter words for what a newcomer tries first.
TEST_F(CliTest, DeploymentsTakeAnImageAndABareNumber) {
  EXPECT_EQ(skerry({"deployments", "create", "web", "--image", "localhost/base:1", "--replicas", "0"}), 0) << err_;
  EXPECT_EQ(json(client().call("GET", "/api/v1/deployments/web")).text("config.image"), "localhost/base:1");
  EXPECT_EQ(skerry({"deployments", "scale", "web", "2"}), 0) << err_;
  EXPECT_EQ(json(client().call("GET", "/api/v1/deployments/web")).integer("replicas"), 2);
  EXPECT_EQ(skerry({"deployments", "create", "b", "--image", "x", "--plugin", "p"}), 2);
  EXPECT_NE(err_.find("--image"), std::string::npos) << err_;
  EXPECT_EQ(skerry({"deployments", "scale", "web"}), 2);
}

TEST_F(CliTest, APluginIsNotRunWithAnotherImage) {
  EXPECT_EQ(skerry({"run", "-d", "--plugin", "web", "localhost/base:1"}), 2);
  EXPECT_NE(err_.find("localhost/base:1"), std::string::npos) << err_;
  EXPECT_NE(err_.find("the plugin has its own"), std::string::npos) << err_;
}

TEST_F(CliTest, ZonesAreListedWhereThereAreSome) {
  auto environment = add_running("web");
  EXPECT_EQ(skerry({"ls"}), 0);
  EXPECT_EQ(out_.find("ZONE"), std::string::npos) << out_;
  environment.id = "fedcba9876543210";
  environment.spec.name = "db";
  environment.spec.zone = "vault";
  controller_.add(environment);
  EXPECT_EQ(skerry({"ls"}), 0);
  EXPECT_NE(out_.find("ZONE"), std::string::npos) << out_;
  EXPECT_NE(out_.find("vault"), std::string::npos) << out_;
}

TEST_F(CliTest, ImagesArePushed) {
  EXPECT_EQ(skerry({"images", "push", "localhost/base:1", "registry.example/team/base:2"}), 0) << err_;
  EXPECT_NE(out_.find("registry.example/team/base:2  sha256:"), std::string::npos) << out_;
  const auto told = store_->events({})->back();
  EXPECT_EQ(told.type, "image.pushed");
  EXPECT_EQ(told.resource, "registry.example/team/base:2");
  EXPECT_EQ(skerry({"images", "push", "none:1"}), 3);
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

TEST_F(CliTest, DoctorLooksAtTheDaemonsOwnDirectory) {
  skerry({"doctor"});
  EXPECT_NE(out_.find(" free in " + dir_.path() + "\n"), std::string::npos) << out_;
}

TEST_F(CliTest, EveryVerbAnswersInJsonWhenAsked) {
  add_running("web");
  ASSERT_TRUE(write_file_atomic(dir_ / "p.json",
                                R"({"name":"p","version":"1.0","runtime":"r","image":"localhost/base:1"})", 0600));
  const std::string manifest = dir_ / "p.json";
  const std::vector<std::vector<std::string>> calls = {
      {"run", "-d", "--name", "a", "localhost/base:1"},
      {"create", "--name", "b", "localhost/base:1"},
      {"ls"},
      {"show", "web"},
      {"stats", "web"},
      {"restart", "web"},
      {"pause", "web"},
      {"resume", "web"},
      {"stop", "web"},
      {"start", "web"},
      {"update", "--memory", "64", "web"},
      {"wait", "b"},
      {"rm", "-f", "web"},
      {"images", "ls"},
      {"images", "inspect", "localhost/base:1"},
      {"images", "tag", "localhost/base:1", "base:2"},
      {"images", "prune"},
      {"plugins", "install", "--manifest", manifest},
      {"plugins", "list"},
      {"plugins", "show", "p"},
      {"plugins", "disable", "p"},
      {"plugins", "enable", "p"},
      {"deployments", "create", "d", "--plugin", "p", "--replicas", "0"},
      {"deployments", "list"},
      {"deployments", "show", "d"},
      {"deployments", "scale", "d", "--replicas", "0"},
      {"deployments", "delete", "d"},
      {"plugins", "remove", "p"},
      {"token", "create", "t"},
      {"token", "ls"},
      {"token", "revoke", "t"},
      {"operations", "ls"},
      {"system"},
      {"setup", "--dry-run"},
  };
  for (auto call : calls) {
    const std::string said = join(call, " ");
    // Behind the words of the verb: what follows an image belongs to the command inside.
    const bool grouped = call.size() > 1 && call[1].find_first_of("-/") == std::string::npos && call[1] != "web";
    call.insert(call.begin() + (grouped ? 2 : 1), {"--output", "json"});
    EXPECT_EQ(skerry(call), 0) << said << ": " << err_;
    // One document, or one on each line.
    const std::string all(trim(out_));
    const bool lines = said.starts_with("setup");
    for (const auto text : lines ? split(all, '\n') : std::vector<std::string_view>{all}) {
      const auto json = wire::JsonNode::parse(text);
      EXPECT_TRUE(json && !json->is_null()) << said << ": " << text;
    }
  }
}

TEST_F(CliTest, Tokens) {
  EXPECT_EQ(skerry({"token", "create", "ci", "--role", "operator"}), 0);
  EXPECT_TRUE(out_.starts_with("skt_"));
  EXPECT_EQ(skerry({"token", "ls"}), 0);
  EXPECT_EQ(out_.find("skt_"), std::string::npos);
  EXPECT_EQ(skerry({"token", "create", "laptop"}), 0);
  EXPECT_EQ(skerry({"token", "revoke", "ci", "laptop"}), 0) << err_;
  EXPECT_EQ(skerry({"token", "revoke", "ci"}), 3);
  EXPECT_EQ(skerry({"token", "create", "x", "--role", "king"}), 2);
}

}  // namespace
}  // namespace skerry::api::testing
