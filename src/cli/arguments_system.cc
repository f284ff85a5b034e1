#include "cli/arguments_internal.h"

namespace skerry::cli {
namespace {

void add_events(CLI::App& app, Invocation& invocation) {
  auto* verb = add_verb(app, invocation, "events", "What happened", "  skerry events -f --type vm.\n");
  auto options = std::make_shared<EventOptions>();
  verb->add_flag("-f,--follow", options->follow, "And what will happen");
  verb->add_option("--type", options->type, "vm.created, or vm. for all of VMs");
  verb->add_option("--resource", options->resource, "Of this name only");
  verb->add_option("--after", options->after, "After the event with this id");
  verb->add_option("--limit", options->limit, "At most so many")->check(CLI::Range(1, 10000));
  on_chosen(verb, invocation, [options](const Session& session) { return events(session, *options); });
}

void add_tokens(CLI::App& app, Invocation& invocation) {
  auto* token = add_group(app, "token", "Tokens for clients over TCP");
  auto options = std::make_shared<TokenOptions>();
  auto* create = add_verb(*token, invocation, "create", "Make a token; it is told only once",
                          "  skerry token create ci --role operator --zone work\n");
  create->add_option("NAME", options->name)->required();
  create->add_option("--role", options->role, "viewer, operator or admin");
  create->add_option("--zone", options->zones, "Limit it to this zone")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  on_chosen(create, invocation, [options](const Session& session) { return create_token(session, *options); });
  on_chosen(add_verb(*token, invocation, "ls", "List", ""), invocation, list_tokens);
  auto* revoke = add_verb(*token, invocation, "revoke", "Revoke a token", "");
  revoke->add_option("NAME", options->name)->required();
  on_chosen(revoke, invocation, [options](const Session& session) { return revoke_token(session, *options); });
}

void add_operations(CLI::App& app, Invocation& invocation) {
  auto* operations = add_group(app, "operations", "Long work of the daemon");
  on_chosen(add_verb(*operations, invocation, "ls", "List", ""), invocation, list_operations);
  auto* cancel = add_verb(*operations, invocation, "cancel", "Ask one to stop", "");
  auto id = std::make_shared<std::string>();
  cancel->add_option("ID", *id)->required();
  on_chosen(cancel, invocation, [id](const Session& session) { return cancel_operation(session, *id); });
}

}  // namespace

void add_system_verbs(CLI::App& app, Invocation& invocation) {
  add_events(app, invocation);
  add_tokens(app, invocation);
  add_operations(app, invocation);
  on_chosen(add_verb(app, invocation, "system", "The daemon and what this host can do", ""), invocation, show_system);
  on_chosen(add_verb(app, invocation, "doctor", "Look for what is missing on this host", ""), invocation, doctor);
}

}  // namespace skerry::cli
