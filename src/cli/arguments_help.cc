// The verbs that tell of the command line itself. They look at the parser while it stands and keep the answer.
#include "cli/arguments_internal.h"
#include "cli/completion.h"
#include "cli/describe.h"
#include "cli/man_page.h"
#include "cli/output.h"

namespace skerry::cli {
namespace {

void add_completion(CLI::App& app, Invocation& invocation) {
  auto* verb = add_verb(app, invocation, "completion", "Print the completion script of a shell",
                        "  source <(skerry completion bash)\n"
                        "  skerry completion fish > ~/.config/fish/completions/skerry.fish\n");
  auto shell = std::make_shared<std::string>();
  verb->add_option("SHELL", *shell, "Which shell")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  on_chosen(verb, invocation, [shell](const Session&) { return print_completion(*shell); });

  auto* ask = app.add_subcommand("__complete", "What may stand in place of the last word")->group("");
  ask->prefix_command();
  ask->callback([&app, ask, &invocation] {
    // The shell's name comes first; it ends our options, so that the words behind it stay as they are.
    auto words = ask->remaining(true);
    if (!words.empty()) words.erase(words.begin());
    invocation.verb = [text = describe(app), words](const Session& session) { return offer(session, text, words); };
  });
}

void add_man(CLI::App& app, Invocation& invocation) {
  auto* verb = add_verb(app, invocation, "man", "Print a manual page, or write all of them to a directory",
                        "  skerry man run | man -l -\n  skerry man images build | man -l -\n  skerry man --directory "
                        "/usr/local/share/man/man1\n");
  auto options = std::make_shared<ManOptions>();
  verb->add_option("COMMAND", options->command, "Whose page (default: skerry's own)");
  verb->add_option("--directory", options->directory, "Write all pages here")->check(CLI::ExistingDirectory);
  verb->callback([&app, &invocation, options] {
    invocation.verb = [text = describe(app), options](const Session&) { return print_man(text, *options); };
  });
}

void add_version_and_help(CLI::App& app, Invocation& invocation) {
  auto* version = add_verb(app, invocation, "version", "Print the version", "  skerry version\n");
  on_chosen(version, invocation, [](const Session& session) -> Outcome {
    const bool json = session.settings.output == OutputForm::kJson;
    TRY(print(json ? "{\"version\":\"" SKERRY_VERSION "\"}\n" : "skerry " SKERRY_VERSION "\n"));
    return kExitSuccess;
  });
  auto* help = app.add_subcommand("help", "Print the help of a command");
  help->footer("Examples:\n  skerry help run\n");
  auto words = std::make_shared<std::vector<std::string>>();
  help->add_option("COMMAND", *words, "Whose help (default: skerry's own)");
  help->callback([&app, words, &invocation] {
    const CLI::App* command = &app;
    std::string path = "skerry";
    for (const auto& word : *words) {
      const auto found = command->get_subcommands([&](const CLI::App* each) { return each->check_name(word); });
      if (found.empty()) throw CLI::ValidationError("help", "there is no command \"" + word + "\"");
      command = found.front();
      path += " " + word;
    }
    invocation.verb =
        [text = command->help(words->empty() ? path : path.substr(0, path.rfind(' ')))](const Session&) -> Outcome {
      TRY(print(text));
      return kExitSuccess;
    };
  });
}

}  // namespace

void add_help_verbs(CLI::App& app, Invocation& invocation) {
  add_version_and_help(app, invocation);
  add_completion(app, invocation);
  add_man(app, invocation);
}

}  // namespace skerry::cli
