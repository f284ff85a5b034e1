// What the files arguments*.cc share.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "cli/arguments.h"

namespace skerry::cli {

using Verb = std::function<Outcome(const Session&)>;

// A subcommand with the options that every one has. `examples` stands below its help.
CLI::App* add_verb(CLI::App& parent, Invocation& invocation, const std::string& name, const std::string& summary,
                   const std::string& examples);
// A subcommand that only groups others.
CLI::App* add_group(CLI::App& parent, const std::string& name, const std::string& summary);
// Without a verb behind it, the group lists what there is.
void list_by_itself(CLI::App* group, Invocation& invocation, Verb list);
// What runs when the subcommand was chosen.
inline void on_chosen(CLI::App* verb, Invocation& invocation, Verb action) {
  verb->callback([&invocation, action = std::move(action)] { invocation.verb = action; });
}
// A verb whose action takes options that its arguments fill.
template <typename Options>
CLI::App* add_action(CLI::App& parent, Invocation& invocation, const std::string& name, const std::string& summary,
                     const std::string& examples, const std::shared_ptr<Options>& options,
                     Outcome (*action)(const Session&, const Options&)) {
  auto* verb = add_verb(parent, invocation, name, summary, examples);
  on_chosen(verb, invocation, [options, action](const Session& session) { return action(session, *options); });
  return verb;
}
// The words behind the options: a first one (`what`) and all that follows it, dashes or not. Throws CLI::ParseError.
struct Words {
  std::string first;
  std::vector<std::string> rest;
};
Words take_words(const CLI::App& verb, const Invocation& invocation, const std::string& what);
// All the words behind the options of a verb that takes a command, the first "--" among them.
std::vector<std::string> words_behind(const CLI::App& verb, const Invocation& invocation);

void add_run_verbs(CLI::App& app, Invocation& invocation);
void add_target_verbs(CLI::App& app, Invocation& invocation, Scope scope);
void add_vm_verbs(CLI::App& app, Invocation& invocation);
void add_image_verbs(CLI::App& app, Invocation& invocation);
void add_kernel_verbs(CLI::App& app, Invocation& invocation);
void add_plugin_verbs(CLI::App& app, Invocation& invocation);
void add_snapshot_verbs(CLI::App& app, Invocation& invocation);
void add_fork_verb(CLI::App& app, Invocation& invocation, Scope scope);
void add_policy_verbs(CLI::App& app, Invocation& invocation);
void add_zone_verbs(CLI::App& app, Invocation& invocation);
void add_system_verbs(CLI::App& app, Invocation& invocation);
// completion, man: what tells of all the others.
void add_help_verbs(CLI::App& app, Invocation& invocation);
// "--memory,-m", in MiB or with a unit.
void add_memory(CLI::App* verb, std::optional<std::uint32_t>& into, const std::string& help);
// The options of run and create.
std::shared_ptr<RunOptions> add_run_options(CLI::App* verb, Scope scope);

}  // namespace skerry::cli
