#include "cli/arguments.h"

#include <cstdlib>
#include <iostream>

#include "base/text.h"
#include "cli/arguments_internal.h"

namespace skerry::cli {
namespace {

void add_common(CLI::App& verb, Settings& settings) {
  verb.add_option("--socket", settings.socket_path, "The daemon's socket (or SKERRY_SOCKET)");
  verb.add_option_function<std::string>(
          "--output,-o",
          [&settings](const std::string& form) {
            settings.output = form == "json" ? OutputForm::kJson : OutputForm::kTable;
          },
          "table (for people) or json (for programs)")
      ->check(CLI::IsMember({"table", "json"}));
  verb.add_flag("--quiet,-q", settings.quiet, "Say only what was asked for");
}

// The first word that should name a command and names none; "" when all do. The parser would only say that one is
// missing.
std::string unknown_command(const CLI::App& app, int argc, const char* const* argv) {
  const CLI::App* here = &app;
  for (int i = 1; i < argc && !here->get_subcommands({}).empty(); ++i) {
    const std::string word = argv[i];
    if (word.starts_with('-')) return {};
    const auto subcommands = here->get_subcommands([&](const CLI::App* each) { return each->check_name(word); });
    if (subcommands.empty()) return word;
    here = subcommands.front();
  }
  return {};
}

void declare(CLI::App& app, Invocation& invocation) {
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("skerry ") + SKERRY_VERSION);
  app.add_option("--socket", invocation.settings.socket_path, "The daemon's socket (or SKERRY_SOCKET)");
  add_run_verbs(app, invocation);
  add_target_verbs(app, invocation, Scope::kEnvironments);
  add_vm_verbs(app, invocation);
  add_image_verbs(app, invocation);
  add_plugin_verbs(app, invocation);
  add_system_verbs(app, invocation);
  add_help_verbs(app, invocation);
}

constexpr const char* kSummary = "Skerry runs containers, microVMs and VMs from the same images, under one daemon.";

}  // namespace

CLI::App* add_verb(CLI::App& parent, Invocation& invocation, const std::string& name, const std::string& summary,
                   const std::string& examples) {
  auto* verb = parent.add_subcommand(name, summary);
  if (!examples.empty()) verb->footer(cat("Examples:\n", examples));
  add_common(*verb, invocation.settings);
  return verb;
}

CLI::App* add_group(CLI::App& parent, const std::string& name, const std::string& summary) {
  auto* group = parent.add_subcommand(name, summary);
  group->require_subcommand(1);
  return group;
}

Words take_words(const CLI::App& verb, const std::string& what) {
  auto words = verb.remaining(true);
  if (!words.empty() && words.front().starts_with('-') && words.front() != "--") {
    throw CLI::ExtrasError({words.front()});
  }
  Words out;
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  if (words.empty()) throw CLI::RequiredError(what);
  out.first = words.front();
  words.erase(words.begin());
  if (!words.empty() && words.front() == "--") words.erase(words.begin());
  out.rest = std::move(words);
  return out;
}

Invocation parse_arguments(int argc, const char* const* argv) {
  Invocation invocation;
  CLI::App app(kSummary, "skerry");
  // Read here and not by the parser, which would let the variable win over a flag of another level.
  if (const char* socket = std::getenv("SKERRY_SOCKET"); socket != nullptr) invocation.settings.socket_path = socket;
  declare(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    invocation.exit_code = app.exit(done);
    invocation.verb = nullptr;
  } catch (const CLI::ParseError& problem) {
    const auto unknown = unknown_command(app, argc, argv);
    std::cerr << "skerry: " << (unknown.empty() ? problem.what() : cat("there is no command \"", unknown, "\""))
              << " (see: skerry --help)\n";
    invocation.exit_code = kExitUsage;
    invocation.verb = nullptr;
  }
  return invocation;
}

CommandText describe_command_line() {
  Invocation invocation;
  CLI::App app(kSummary, "skerry");
  declare(app, invocation);
  return describe(app);
}

}  // namespace skerry::cli
