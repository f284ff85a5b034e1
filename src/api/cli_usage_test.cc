// The words of the command line, by the real program against the real server over fakes: options, help, tables, exit
// codes.
#include "api/cli_testing.h"
#include "base/file_io.h"
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

TEST_F(CliTest, AnOptionThatDoesNotExistIsNamedAndWhatWasMeant) {
  skerry({"run", "--isolaton", "microvm", "image", "true"});
  EXPECT_EQ(err_, "skerry: there is no option \"--isolaton\" (did you mean \"--isolation\"? see: skerry run --help)\n");
  skerry({"run", "--network=none", "image"});
  EXPECT_NE(err_.find("there is no option \"--network\" (a zone decides"), std::string::npos) << err_;
  skerry({"ls", "--zzzzzzzz"});
  EXPECT_EQ(err_, "skerry: there is no option \"--zzzzzzzz\" (see: skerry ls --help)\n");
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

TEST_F(CliTest, TheSocketFollowsTheRunDirectory) {
  const auto directory = config_.socket_path.substr(0, config_.socket_path.rfind('/'));
  SpawnSpec spec;
  spec.argv = {SKERRY_PROGRAM, "ls"};
  spec.env = {{"SKERRY_RUN_DIR=" + directory + "/none"}};
  const auto output = run_command(spec, std::chrono::seconds(20), 1U << 20U);
  ASSERT_TRUE(output);
  EXPECT_NE(output->err.find(directory + "/none/skerryd.sock"), std::string::npos) << output->err;
}

TEST_F(CliTest, SaysHowToReachADaemonThatIsNotThere) {
  EXPECT_EQ(skerry({"--socket", dir_ / "none", "ls"}), 1);
  EXPECT_NE(err_.find("skerryd does not answer"), std::string::npos);
  EXPECT_EQ(skerry({"ls", "--socket", dir_ / "none"}), 1) << "the flag wins over the variable";
  EXPECT_EQ(skerry({"doctor", "--socket", dir_ / "none"}), 1);
  EXPECT_NE(out_.find("kernel"), std::string::npos) << "the doctor works without the daemon";
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

}  // namespace
}  // namespace skerry::api::testing
