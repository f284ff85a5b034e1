#include "cli/arguments_internal.h"

namespace skerry::cli {

void add_snapshot_verbs(CLI::App& app, Invocation& invocation) {
  auto* snapshot = add_group(app, "snapshot", "Environments as they were: disk, and memory of what ran");
  snapshot->alias("snapshots");
  auto options = std::make_shared<SnapshotOptions>();
  auto* create = add_action(*snapshot, invocation, "create", "Keep it as it is now, under a name; what runs goes on",
                            "  skerry snapshot create db before-update\n", options, create_snapshot);
  create->add_option("ENVIRONMENT", options->environment, "Of what")->required();
  create->add_option("NAME", options->names, "Name of the snapshot")->required()->expected(1);
  auto* ls = add_action(*snapshot, invocation, "ls", "List", "  skerry snapshot ls\n  skerry snapshot ls db\n", options,
                        list_snapshots);
  ls->alias("list");
  ls->add_option("ENVIRONMENT", options->environment, "Only of this one");
  auto* show = add_action(*snapshot, invocation, "show", "Show", "  skerry snapshot show before-update\n", options,
                          show_snapshots);
  show->add_option("NAME", options->names)->required();
  auto* restore = add_action(*snapshot, invocation, "restore", "Make what it was taken of, stopped, what it was then",
                             "  skerry stop db && skerry snapshot restore before-update && skerry resume db\n", options,
                             restore_snapshot);
  restore->add_option("NAME", options->names)->required()->expected(1);
  auto* rm = add_action(*snapshot, invocation, "rm", "Remove", "  skerry snapshot rm before-update\n", options,
                        remove_snapshots);
  rm->alias("remove");
  rm->add_option("NAME", options->names)->required();
}

void add_fork_verb(CLI::App& app, Invocation& invocation, Scope scope) {
  const std::string words = scope == Scope::kVms ? "  skerry vms fork" : "  skerry fork";
  auto* verb = add_verb(app, invocation, "fork", "More of it: each goes on from here with an identity of its own",
                        words + " web web-2 web-3\n" + words + " --snapshot before-update -p 8081:80 old-web\n");
  verb->alias("clone");
  auto options = std::make_shared<ForkOptions>();
  options->scope = scope;
  verb->add_option("SOURCE", options->source, "An environment (a microVM), or with --snapshot a snapshot")->required();
  verb->add_option("NAME", options->names, "Names of the forks")->required();
  verb->add_flag("--snapshot", options->from_snapshot, "SOURCE is the name of a snapshot");
  verb->add_option("-p,--publish", options->ports, "HOST:GUEST[/udp]; a fork does not have its source's ports")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  on_chosen(verb, invocation, [options](const Session& session) { return fork(session, *options); });
}

}  // namespace skerry::cli
