#include "cli/arguments_internal.h"
#include "cli/setup.h"

namespace skerry::cli {
namespace {

void add_events(CLI::App& app, Invocation& invocation) {
  auto* verb = add_verb(app, invocation, "events", "What happened", "  skerry events -f --type vm.\n");
  auto options = std::make_shared<EventOptions>();
  auto* follow = verb->add_flag("-f,--follow", options->follow, "And what will happen");
  verb->add_option("--type", options->type, "vm.created, or vm. for all of VMs");
  verb->add_option("--resource", options->resource, "Of this name only");
  verb->add_option("--after", options->after, "After the event with this id");
  verb->add_option("--limit", options->limit, "At most so many: the newest, or the first ones after --after")
      ->check(CLI::Range(1, 10000))
      ->excludes(follow);
  on_chosen(verb, invocation, [options](const Session& session) { return events(session, *options); });
}

void add_tokens(CLI::App& app, Invocation& invocation) {
  auto* token = add_group(app, "token", "Tokens for clients over TCP; without a verb: list them");
  list_by_itself(token, invocation, list_tokens);
  auto options = std::make_shared<TokenOptions>();
  auto* create = add_verb(*token, invocation, "create", "Make a token; it is told only once",
                          "  skerry token create ci --role operator --zone work\n");
  create->add_option("NAME", options->name)->required();
  create->add_option("--role", options->role, "viewer, operator or admin");
  create->add_option("--zone", options->zones, "Limit it to this zone")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  on_chosen(create, invocation, [options](const Session& session) { return create_token(session, *options); });
  auto* ls = add_verb(*token, invocation, "ls", "List", "  skerry token ls\n");
  ls->alias("list");
  on_chosen(ls, invocation, list_tokens);
  auto* revoke = add_verb(*token, invocation, "revoke", "Revoke tokens", "  skerry token revoke ci laptop\n");
  revoke->alias("rm");
  revoke->add_option("NAME", options->names, "One or several names")->required();
  on_chosen(revoke, invocation, [options](const Session& session) { return revoke_token(session, *options); });
}

void add_operations(CLI::App& app, Invocation& invocation) {
  auto* operations = add_group(app, "operations", "Long work of the daemon; without a verb: list it");
  list_by_itself(operations, invocation, list_operations);
  on_chosen(add_verb(*operations, invocation, "ls", "List", "  skerry operations ls\n"), invocation, list_operations);
  auto* cancel = add_verb(*operations, invocation, "cancel", "Ask one to stop", "  skerry operations cancel op-7\n");
  auto id = std::make_shared<std::string>();
  cancel->add_option("ID", *id)->required();
  on_chosen(cancel, invocation, [id](const Session& session) { return cancel_operation(session, *id); });
}

void add_setup(CLI::App& app, Invocation& invocation) {
  auto* verb = add_verb(app, invocation, "setup", "Prepare this host: group, directories, bridge, NAT, service",
                        "  skerry setup --dry-run\n  skerry setup --subnet 10.9.0.1/24\n  skerry setup --undo\n");
  auto options = std::make_shared<SetupOptions>();
  verb->add_flag("--dry-run", options->dry_run, "Only say what would be done");
  verb->add_flag("--undo", options->undo, "Take away what setup has made; images and disks stay");
  verb->add_option("--state-dir", options->state_dir, "Where skerryd keeps images, database and disks")
      ->capture_default_str();
  verb->add_option("--bridge", options->bridge, "Bridge of the default zone")->capture_default_str();
  verb->add_option("--subnet", options->subnet, "Its address and subnet, CIDR")->capture_default_str();
  verb->add_option("--listen", options->listen, "API address ADDR:PORT, or none")->capture_default_str();
  verb->add_option("--group", options->group, "Group that may use the socket")->capture_default_str();
  verb->add_option("--program-dir", options->program_dir, "Where skerryd is (default: beside this program)");
  on_chosen(verb, invocation, [options](const Session& session) { return setup(session, *options); });
}

void add_mcp(CLI::App& app, Invocation& invocation) {
  auto* verb =
      add_verb(app, invocation, "mcp", "Serve an AI agent: the Model Context Protocol on standard input and output",
               "  skerry mcp --role operator --zone agents\n\nIn the agent's configuration:\n"
               "  {\"mcpServers\":{\"skerry\":{\"command\":\"skerry\",\"args\":[\"mcp\"]}}}\n");
  auto options = std::make_shared<McpOptions>();
  verb->add_option("--role", options->role, "The most it may do: viewer, operator (as when not given) or admin")
      ->check(CLI::IsMember({"viewer", "operator", "admin"}));
  verb->add_option("--zone", options->zones, "Limit it to this zone")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  on_chosen(verb, invocation, [options](const Session& session) { return mcp(session, *options); });
}

}  // namespace

void add_system_verbs(CLI::App& app, Invocation& invocation) {
  add_setup(app, invocation);
  add_events(app, invocation);
  add_tokens(app, invocation);
  add_operations(app, invocation);
  add_mcp(app, invocation);
  on_chosen(add_verb(app, invocation, "system", "The daemon and what this host can do", "  skerry system\n"),
            invocation, show_system);
  on_chosen(add_verb(app, invocation, "doctor", "Look for what is missing on this host",
                     "  skerry doctor\n  skerry doctor --output json\n"),
            invocation, doctor);
}

}  // namespace skerry::cli
