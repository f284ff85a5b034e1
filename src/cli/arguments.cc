#include "cli/arguments.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "archive/entry_path.h"
#include "base/text.h"
#include "cli/arguments_internal.h"
#include "cli/nearest.h"

namespace skerry::cli {
namespace {

void add_socket(CLI::App& app, Settings& settings) {
  app.add_option_function<std::string>(
      "--socket",
      [&settings](const std::string& path) {
        settings.daemon.socket_path = path;
        settings.socket_named = true;
      },
      "The daemon's socket (or SKERRY_SOCKET)");
}

// In front of the command only, as few use them: each option of each command costs every start.
constexpr std::array kInFront{"--socket", "--host", "--token-file", "--cacert", "--cert", "--key"};

void add_tcp(CLI::App& app, Settings& settings) {
  app.add_option("--host", settings.host, "Ask the daemon of another host: https://HOST:PORT (or SKERRY_HOST)");
  app.add_option("--token-file", settings.token_file,
                 "The token for it (or SKERRY_TOKEN_FILE; or the token itself in SKERRY_TOKEN)");
  app.add_option("--cacert", settings.daemon.ca_file,
                 "Who may have signed its certificate, PEM (or SKERRY_CACERT; default: whom this host trusts)");
  app.add_option("--cert", settings.daemon.certificate_file,
                 "Our certificate, where it asks for one, PEM (or SKERRY_CERT)");
  app.add_option("--key", settings.daemon.key_file, "Its key, PEM (or SKERRY_KEY)");
}

// Read here and not by the parser, which would let the variable win over a flag of another level.
void read_environment(Settings& settings) {
  const auto take = [](const char* variable, std::string& into) {
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') into = value;
  };
  if (const char* directory = std::getenv("SKERRY_RUN_DIR"); directory != nullptr) {
    settings.daemon.socket_path = cat(directory, "/skerryd.sock");
  }
  take("SKERRY_SOCKET", settings.daemon.socket_path);
  take("SKERRY_HOST", settings.host_of_environment);
  take("SKERRY_TOKEN_FILE", settings.token_file);
  take("SKERRY_CACERT", settings.daemon.ca_file);
  take("SKERRY_CERT", settings.daemon.certificate_file);
  take("SKERRY_KEY", settings.daemon.key_file);
}

void add_common(CLI::App& verb, Settings& settings) {
  add_socket(verb, settings);
  verb.add_option_function<std::string>(
          "--output,-o",
          [&settings](const std::string& form) {
            settings.output = form == "json" ? OutputForm::kJson : OutputForm::kTable;
          },
          "table (for people) or json (for programs)")
      ->check(CLI::IsMember({"table", "json"}));
  verb.add_flag("--quiet,-q", settings.quiet, "Say only what was asked for");
}

// How far the words name commands.
struct Reached {
  const CLI::App* command = nullptr;
  std::string path = "skerry";
  std::string unknown;  // the first word that should name a command and names none
};
Reached reach(const CLI::App& app, int argc, const char* const* argv) {
  Reached reached;
  reached.command = &app;
  for (int i = 1; i < argc && !reached.command->get_subcommands({}).empty(); ++i) {
    const std::string word = argv[i];
    const bool in_front = std::ranges::any_of(
        kInFront, [&](std::string_view option) { return word == option || word.starts_with(cat(option, "=")); });
    if (in_front && word.find('=') == std::string::npos) ++i;
    if (in_front) continue;
    if (word.starts_with('-')) break;
    const auto found = reached.command->get_subcommands([&](const CLI::App* each) { return each->check_name(word); });
    if (found.empty()) {
      reached.unknown = word;
      break;
    }
    reached.command = found.front();
    reached.path += cat(" ", word);
  }
  return reached;
}

// The words nobody asked for, as they were written. The parser's own message has them after its colon, last one first.
std::string unexpected(const CLI::App& command, const std::string& message) {
  if (const auto left = command.remaining(true); !left.empty()) return join(left, " ");
  const auto colon = message.find(": ");
  std::vector<std::string> words;
  for (const auto word : split(std::string_view(message).substr(colon == std::string::npos ? 0 : colon + 2), ' ')) {
    words.insert(words.begin(), std::string(word));
  }
  return join(words, " ");
}

// More words than the command takes: which one is too much. Empty: that is not it.
std::string too_many(const CLI::App& command) {
  for (const auto* option : command.get_options({})) {
    const auto most = static_cast<std::size_t>(std::max(option->get_items_expected_max(), 0));
    const auto& given = option->results();
    if (!option->get_positional() || given.size() <= most) continue;
    const std::vector<std::string> more(given.begin() + static_cast<std::ptrdiff_t>(most), given.end());
    const std::string name = option->get_name(true);
    return cat(most == 1 ? cat("one ", name) : cat(most, " of ", name), " only; unexpected: ", join(more, " "));
  }
  return {};
}

// What the parser calls a mismatch or a failed conversion, in our words: it speaks of types and "At Most 1 required".
std::string own_words(const CLI::App& command, const CLI::ParseError& problem) {
  std::string what = problem.what();
  const auto colon = what.find(": ");
  if (colon == std::string::npos) return what;
  const std::string subject = what.substr(0, colon);
  const std::string rest = what.substr(colon + 2);
  if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch)) {
    if (auto more = too_many(command); !more.empty()) return more;
    if (rest.find("required") != std::string::npos) return cat(subject, " needs a value");
  }
  constexpr std::string_view kAssigned = " = ";
  const auto equals = rest.find(kAssigned);
  if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ConversionError) && equals != std::string::npos) {
    return cat(rest.substr(0, equals), ": \"", rest.substr(equals + kAssigned.size()), "\" is not a number");
  }
  return what;
}

// What users of other programs look for.
std::string_view elsewhere(std::string_view option) {
  if (option != "--network" && option != "--net") return {};
  return "a zone decides what is reached: skerry zones create NAME --egress none --isolated, then --zone NAME; ";
}

// The first of these words that looks like an option. Empty: none does.
std::string unknown_option(const CLI::App& command, const std::string& words, const std::string& see) {
  for (const auto word : split(words, ' ')) {
    if (!word.starts_with("--") || word.size() < 3) continue;
    const auto option = word.substr(0, word.find('='));
    std::vector<std::string> names;
    for (const auto* each : command.get_options({})) {
      names.insert(names.end(), each->get_lnames().begin(), each->get_lnames().end());
    }
    const std::string meant = nearest(option.substr(2), names);
    const std::string hint = meant.empty() ? std::string(elsewhere(option)) : cat("did you mean \"--", meant, "\"? ");
    return cat("there is no option \"", printable(option), "\" (", hint, see, ")");
  }
  return {};
}

// One line: what is wrong, what was meant, where to read on. The parser itself would only say that a command is
// missing, and name unexpected words in no order.
std::string explain(const CLI::App& app, const CLI::ParseError& problem, int argc, const char* const* argv) {
  const Reached reached = reach(app, argc, argv);
  const std::string see = cat("see: ", reached.path, " --help");
  if (!reached.unknown.empty()) {
    std::vector<std::string> names;
    for (const auto* each : reached.command->get_subcommands({})) {
      if (!each->get_group().empty()) names.push_back(each->get_name());
    }
    const std::string meant = nearest(reached.unknown, names);
    return cat("there is no command \"", reached.unknown, "\" (",
               meant.empty() ? "" : cat("did you mean \"", meant, "\"? "), see, ")");
  }
  std::string what = own_words(*reached.command, problem);
  // Its name is that of the command, its exit code tells what it is.
  if (problem.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError)) {
    const std::string words = unexpected(*reached.command, what);
    if (auto unknown = unknown_option(*reached.command, words, see); !unknown.empty()) return unknown;
    what = cat("unexpected: ", words);
  }
  for (char& letter : what) {
    if (letter == '\n') letter = ' ';
  }
  return cat(what, " (", see, ")");
}

// Only the verbs whose start is waited for, when the first word names one of them: making up the rest costs
// milliseconds.
bool is_run_verb(int argc, const char* const* argv) {
  return argc > 1 && (std::string_view(argv[1]) == "run" || std::string_view(argv[1]) == "create");
}

// Where a command may follow, the parser sees only what stands in front of the first "--": it would drop the "--" and
// take what follows for our options.
int cut_at_dashes(const CLI::App& app, Invocation& invocation, int argc, const char* const* argv) {
  const auto* command = reach(app, argc, argv).command;
  if (!command->get_prefix_command() || command->get_group().empty()) return argc;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) != "--") continue;
    invocation.behind_dashes.emplace(argv + i + 1, argv + argc);
    return i;
  }
  return argc;
}

// Help whose usage line is the one of the summary, where there is one: the parser knows nothing of IMAGE and COMMAND.
class HelpForm : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    std::string summary = app->get_description();
    return take_usage(app->get_name(), summary).empty() ? Formatter::make_description(app) : summary + "\n";
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string summary = app->get_description();
    const auto usage = take_usage(app->get_name(), summary);
    if (usage.empty()) return Formatter::make_usage(app, std::move(name));
    return cat("Usage: ", name, " ", usage, "\n");
  }
};

enum class Verbs : std::uint8_t { kAll, kRun };

void declare(CLI::App& app, Invocation& invocation, Verbs verbs) {
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpForm>());
  app.set_version_flag("--version", std::string("skerry ") + SKERRY_VERSION);
  add_socket(app, invocation.settings);
  add_tcp(app, invocation.settings);
  add_run_verbs(app, invocation);
  if (verbs == Verbs::kRun) return;
  add_target_verbs(app, invocation, Scope::kEnvironments);
  add_vm_verbs(app, invocation);
  add_image_verbs(app, invocation);
  add_kernel_verbs(app, invocation);
  add_plugin_verbs(app, invocation);
  add_snapshot_verbs(app, invocation);
  add_zone_verbs(app, invocation);
  add_policy_verbs(app, invocation);
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

void list_by_itself(CLI::App* group, Invocation& invocation, Verb list) {
  group->require_subcommand(0, 1);
  group->callback([group, &invocation, list = std::move(list)] {
    if (group->get_subcommands().empty()) invocation.verb = list;
  });
}

std::vector<std::string> words_behind(const CLI::App& verb, const Invocation& invocation) {
  auto words = verb.remaining(true);
  if (!invocation.behind_dashes) return words;
  words.emplace_back("--");
  words.insert(words.end(), invocation.behind_dashes->begin(), invocation.behind_dashes->end());
  return words;
}

Words take_words(const CLI::App& verb, const Invocation& invocation, const std::string& what) {
  auto words = words_behind(verb, invocation);
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
  read_environment(invocation.settings);
  declare(app, invocation, is_run_verb(argc, argv) ? Verbs::kRun : Verbs::kAll);
  argc = cut_at_dashes(app, invocation, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {
    invocation.exit_code = app.exit(done);
    invocation.verb = nullptr;
  } catch (const CLI::ParseError& problem) {
    std::cerr << "skerry: " << explain(app, problem, argc, argv) << "\n";
    invocation.exit_code = kExitUsage;
    invocation.verb = nullptr;
  }
  return invocation;
}

CommandText describe_command_line() {
  Invocation invocation;
  CLI::App app(kSummary, "skerry");
  declare(app, invocation, Verbs::kAll);
  return describe(app);
}

}  // namespace skerry::cli
