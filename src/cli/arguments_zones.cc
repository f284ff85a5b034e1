#include "cli/arguments_internal.h"

namespace skerry::cli {
namespace {

void add_create(CLI::App& zones, Invocation& invocation) {
  auto options = std::make_shared<ZoneOptions>();
  auto* create = add_verb(zones, invocation, "create", "Make a zone: a bridge and a subnet of its own",
                          "  skerry zones create work --colour blue\n"
                          "  skerry zones create vault --colour black --egress none --isolated\n");
  create->add_option("NAME", options->name)->required();
  create->add_option("--colour,--color", options->colour,
                     "red, orange, yellow, green, blue, purple, grey (as when not given), black or #rrggbb");
  create->add_option("--subnet", options->subnet,
                     "Its subnet, or the bridge's address in it, CIDR (default: a free one)");
  create->add_option("--bridge", options->bridge, "Name of its bridge (default: vbr-NAME)");
  create->add_option("--pool-first", options->pool_first, "First address leased (default: .100 of the subnet)");
  create->add_option("--pool-last", options->pool_last, "Last address leased (default: the subnet's last)");
  create->add_option("--egress", options->egress, "none, or nat (as when not given): what lies beyond this host");
  create->add_option("--dns", options->dns, "Name server of its environments (default: the daemon's)")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  create->add_flag("--isolated", options->isolated, "Its environments do not reach each other either");
  on_chosen(create, invocation, [options](const Session& session) { return create_zone(session, *options); });
}

}  // namespace

void add_zone_verbs(CLI::App& app, Invocation& invocation) {
  auto* zones = add_group(app, "zones", "Security domains with networks of their own; without a verb: list them");
  list_by_itself(zones, invocation, list_zones);
  add_create(*zones, invocation);
  auto* ls = add_verb(*zones, invocation, "ls", "List", "  skerry zones ls\n");
  ls->alias("list");
  on_chosen(ls, invocation, list_zones);
  auto options = std::make_shared<ZoneOptions>();
  auto* show = add_verb(*zones, invocation, "show", "All that is known", "  skerry zones show work\n");
  show->add_option("NAME", options->names, "One or several names")->required();
  on_chosen(show, invocation, [options](const Session& session) { return show_zones(session, *options); });
  auto* remove = add_verb(*zones, invocation, "rm", "Remove zones that nothing uses", "  skerry zones rm work\n");
  remove->alias("remove");
  remove->add_option("NAME", options->names, "One or several names")->required();
  on_chosen(remove, invocation, [options](const Session& session) { return remove_zones(session, *options); });
}

}  // namespace skerry::cli
