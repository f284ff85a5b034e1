// What the command line tells of itself: help, man pages, completion.
#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "cli/arguments.h"
#include "cli/completion.h"
#include "cli/man_page.h"

namespace skerry::cli {
namespace {

using Words = std::vector<std::string>;

void each_verb(const CommandText& command, const std::string& path,
               const std::function<void(const CommandText&, const std::string&)>& look) {
  if (command.commands.empty()) look(command, path);
  for (const auto& each : command.commands) each_verb(each, cat(path, " ", each.name), look);
}

TEST(Help, EveryVerbHasASummaryAndAnExampleOfItself) {
  each_verb(describe_command_line(), "skerry", [](const CommandText& verb, const std::string& path) {
    EXPECT_NE(verb.summary, "") << path;
    EXPECT_NE(verb.examples.find(path), std::string::npos) << path << ": " << verb.examples;
  });
}

TEST(Help, EveryOptionSaysWhatItIsFor) {
  each_verb(describe_command_line(), "skerry", [](const CommandText& verb, const std::string& path) {
    for (const auto& option : verb.options) EXPECT_NE(option.help, "") << path << " " << option.names.front();
  });
}

Words offered(const Words& words, const Words& existing = {}) {
  Words out;
  const auto candidates = complete(describe_command_line(), words, [&](NameSource) { return existing; });
  for (const auto& each : candidates.words) out.push_back(each.word);
  if (candidates.files) out.emplace_back("(files)");
  return out;
}

TEST(Completion, CommandsOptionsChoicesNamesAndFiles) {
  EXPECT_EQ(offered({"images", "pu"}), (Words{"pull", "push"}));
  EXPECT_EQ(offered({"run", "--iso"}), (Words{"--isolation"}));
  EXPECT_EQ(offered({"run", "--isolation", "micro"}), (Words{"microvm"}));
  EXPECT_EQ(offered({"ls", "-o", ""}), (Words{"table", "json"}));
  EXPECT_EQ(offered({"stop", "--time", "3", "w"}, {"web", "db"}), (Words{"web"}));
  EXPECT_EQ(offered({"stop", "db", ""}, {"web", "db"}), (Words{"web", "db"}));
  EXPECT_EQ(offered({"logs", "web", ""}, {"web", "db"}), Words{}) << "it takes one name";
  EXPECT_EQ(offered({"vms", "stop", ""}, {"m"}), (Words{"m"}));
  EXPECT_EQ(offered({"run", "--rm", "127"}, {"127.0.0.1:5000/web:1"}), (Words{"127.0.0.1:5000/web:1"}));
  EXPECT_EQ(offered({"run", "image", "--is"}), (Words{"(files)"})) << "it belongs to the command inside";
  EXPECT_EQ(offered({"plugins", "install", "--manifest", ""}), (Words{"(files)"}));
  EXPECT_EQ(offered({"deployments", "create", ""}, {"web"}), Words{}) << "a new name";
  EXPECT_EQ(offered({"no-such-command", ""}), Words{});
  EXPECT_EQ(offered({}), Words{});
}

TEST(Completion, AsksForTheNamesThatBelongThere) {
  const auto source_for = [](const Words& words) {
    NameSource asked = NameSource::kNone;
    complete(describe_command_line(), words, [&](NameSource source) {
      asked = source;
      return Words{};
    });
    return asked;
  };
  EXPECT_EQ(source_for({"show", ""}), NameSource::kEnvironments);
  EXPECT_EQ(source_for({"exec", ""}), NameSource::kEnvironments);
  EXPECT_EQ(source_for({"vms", "show", ""}), NameSource::kVms);
  EXPECT_EQ(source_for({"run", ""}), NameSource::kImages);
  EXPECT_EQ(source_for({"images", "rm", ""}), NameSource::kImages);
  EXPECT_EQ(source_for({"plugins", "disable", ""}), NameSource::kPlugins);
  EXPECT_EQ(source_for({"deployments", "scale", ""}), NameSource::kDeployments);
  EXPECT_EQ(source_for({"token", "revoke", ""}), NameSource::kTokens);
  EXPECT_EQ(source_for({"operations", "cancel", ""}), NameSource::kOperations);
  EXPECT_EQ(source_for({"events", ""}), NameSource::kNone);
}

// Runs a script that has `skerry` as a function answering with what the words are; its standard output.
std::string run_shell(const std::string& shell, const std::string& script) {
  TempDir dir = TempDir::create("skerry-completion").value();
  const std::string path = dir / "script";
  EXPECT_TRUE(write_file_atomic(path, script, 0700));
  SpawnSpec spec;
  spec.argv = shell == "zsh"    ? Words{"zsh", "-f", path}
              : shell == "fish" ? Words{"fish", "--no-config", path}
                                : Words{shell, path};
  const auto done = run_command(spec, std::chrono::seconds(20));
  if (!done) return cat("cannot run ", shell, ": ", done.error().message());
  return done->out + done->err;
}

bool has_shell(const char* shell) {
  SpawnSpec spec;
  spec.argv = {shell, "-c", "exit 0"};
  return run_command(spec, std::chrono::seconds(20)).has_value();
}

constexpr std::string_view kAnswers =
    R"(skerry() { shift; printf 'asked:%s\t%s\n' "$*" help; printf '127.0.0.1:5000/web\t\n'; }
)";

TEST(CompletionScript, Bash) {
  const auto out = run_shell("bash", cat(kAnswers, completion_script("bash").value(),
                                         "COMP_WORDBREAKS=$' \\t\\n:='\nCOMP_LINE='skerry run 127.0.0.1:50'\n"
                                         "COMP_POINT=${#COMP_LINE}\n_skerry\nprintf '<%s>' \"${COMPREPLY[@]}\"\n"));
  EXPECT_NE(out.find("<5000/web>"), std::string::npos) << out;
  EXPECT_NE(out.find("bash run 127.0.0.1:50"), std::string::npos) << out;
}

TEST(CompletionScript, Zsh) {
  if (!has_shell("zsh")) GTEST_SKIP() << "SKIP: no zsh";
  const auto out =
      run_shell("zsh", cat(kAnswers, "compdef() { }\n_describe() { print -rl -- \"${(@P)4}\"; }\n",
                           completion_script("zsh").value(), "words=(skerry images pu)\nCURRENT=3\n_skerry\n"));
  EXPECT_EQ(out, "asked\\:zsh images pu:help\n127.0.0.1\\:5000/web:\n");
}

TEST(CompletionScript, Fish) {
  if (!has_shell("fish")) GTEST_SKIP() << "SKIP: no fish";
  const auto out =
      run_shell("fish", cat("function skerry; set -e argv[1]; printf 'asked-%s\\thelp\\n' (string join _ $argv); end\n",
                            completion_script("fish").value(), "complete -C 'skerry images '\n"));
  EXPECT_NE(out.find("asked-fish_images_"), std::string::npos) << out;
}

TEST(CompletionScript, OtherShellsAreRefused) { EXPECT_FALSE(completion_script("tcsh")); }

TEST(ManPages, OneForEachCommandAndNoneComplainsOfItself) {
  const auto pages = man_pages(describe_command_line());
  EXPECT_EQ(pages.size(), describe_command_line().commands.size() + 1);
  SpawnSpec lint;
  TempDir dir = TempDir::create("skerry-man").value();
  lint.argv = {"mandoc", "-Tlint", "-Wwarning"};
  for (const auto& page : pages) {
    ASSERT_TRUE(write_file_atomic(dir / page.file, page.text, 0600));
    lint.argv.push_back(dir / page.file);
  }
  const auto done = run_command(lint, std::chrono::seconds(20));
  if (!done) GTEST_SKIP() << "SKIP: no mandoc";
  for (const auto line : split(done->out, '\n')) {
    // The pages carry no date: the same source gives the same bytes.
    EXPECT_TRUE(line.empty() || line.find("missing date") != std::string_view::npos) << line;
  }
}

TEST(ManPages, EscapeWhatRoffWouldRead) {
  CommandText text;
  text.name = "x";
  text.summary = ".dot -dash \\back … é";
  const auto page = man_page(text, 8, {});
  EXPECT_EQ(page.file, "x.8");
  EXPECT_NE(page.text.find("x \\- \\&.dot \\-dash \\eback \\[u2026] \\[u00E9]"), std::string::npos) << page.text;
}

}  // namespace
}  // namespace skerry::cli
