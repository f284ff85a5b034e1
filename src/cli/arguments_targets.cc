#include "base/text.h"
#include "cli/arguments_internal.h"
#include "cli/quantities.h"

namespace skerry::cli {
namespace {

// A line of help: the verbs stand at two places.
std::string example(Scope scope, std::string_view words) {
  return cat("  skerry ", scope == Scope::kVms ? "vms " : "", words, "\n");
}

std::shared_ptr<TargetOptions> add_targets(CLI::App* verb, Scope scope) {
  auto options = std::make_shared<TargetOptions>();
  options->scope = scope;
  verb->add_option("NAME", options->names, "One or several names")->required();
  return options;
}

void add_acts(CLI::App& app, Invocation& invocation, Scope scope) {
  struct Act {
    const char* name;
    const char* summary;
    bool graceful;
  };
  for (const Act& each : {Act{"start", "Start", false}, Act{"stop", "Stop, by force after a while", true},
                          Act{"restart", "Stop and start again", true}, Act{"pause", "Freeze in memory", false},
                          Act{"resume", "Thaw", false}, Act{"suspend", "Freeze to disk", false}}) {
    auto* verb = add_verb(app, invocation, each.name, each.summary,
                          example(scope, each.graceful ? cat(each.name, " --time 3 web") : cat(each.name, " web db")));
    auto options = add_targets(verb, scope);
    if (each.graceful) {
      verb->add_option_function<double>(
              "--time,-t",
              [options](double seconds) { options->grace_ms = static_cast<std::uint32_t>(seconds * 1000); },
              "Seconds before it is killed (default 10)")
          ->check(CLI::Range(0.0, 3600.0));
    }
    if (std::string_view(each.name) == "start") {
      verb->add_flag("--wait,-w", options->wait, "Until its health check has passed (at most a minute)");
    }
    on_chosen(verb, invocation,
              [options, name = each.name](const Session& session) { return act(session, *options, name); });
  }
}

void add_switch(CLI::App& app, Invocation& invocation, Scope scope) {
  auto* verb = add_verb(app, invocation, "switch", "Freeze one and let another go on: switch FROM TO",
                        example(scope, "switch work play") + example(scope, "switch --suspend work play"));
  auto options = std::make_shared<SwitchOptions>();
  options->scope = scope;
  verb->add_option("FROM", options->from, "What runs; it goes on again when TO cannot")->required();
  verb->add_option("TO", options->to, "What is to run: resumed when it is frozen, else started")->required();
  verb->add_flag("--suspend", options->suspend, "Freeze to disk, not in memory (microVMs)");
  on_chosen(verb, invocation, [options](const Session& session) { return switch_over(session, *options); });
}

void add_ends(CLI::App& app, Invocation& invocation, Scope scope) {
  auto* kill_verb =
      add_verb(app, invocation, "kill", "Send the main process a signal", example(scope, "kill -s HUP web"));
  auto kill_options = add_targets(kill_verb, scope);
  kill_verb->add_option("-s,--signal", kill_options->signal, "Name or number (default KILL)");
  on_chosen(kill_verb, invocation, [kill_options](const Session& session) { return kill(session, *kill_options); });

  const std::string remove_name = scope == Scope::kVms ? "delete" : "rm";
  auto* rm = add_verb(app, invocation, remove_name, "Delete",
                      example(scope, remove_name + " web") + example(scope, remove_name + " -f web db"));
  rm->alias(scope == Scope::kEnvironments ? "delete" : "rm");
  auto rm_options = add_targets(rm, scope);
  rm->add_flag("-f,--force", rm_options->force, "Also when it runs");
  rm_options->grace_ms = 0;
  rm->add_option_function<double>(
        "--time", [rm_options](double seconds) { rm_options->grace_ms = static_cast<std::uint32_t>(seconds * 1000); },
        "With --force: seconds it is given to end (default 0: killed at once)")
      ->check(CLI::Range(0.0, 3600.0));
  on_chosen(rm, invocation, [rm_options](const Session& session) { return remove(session, *rm_options); });

  auto* wait_verb =
      add_verb(app, invocation, "wait", "Wait until the run is over; print the exit code", example(scope, "wait job"));
  auto wait_options = add_targets(wait_verb, scope);
  on_chosen(wait_verb, invocation, [wait_options](const Session& session) { return wait(session, *wait_options); });

  auto* update_verb = add_verb(app, invocation, "update",
                               "Change the limits: of a container at once, of a microVM while it does not run",
                               example(scope, "update --memory 512 web"));
  auto update_options = std::make_shared<UpdateOptions>();
  update_options->scope = scope;
  update_verb->add_option("NAME", update_options->name)->required();
  update_verb->add_option("--cpu,--cpus", update_options->cpu, "Cores");
  add_memory(update_verb, update_options->memory_mb, "MiB, or with a unit as 512m, 1g");
  update_verb->add_option("--pids", update_options->pids, "Most processes and threads");
  on_chosen(update_verb, invocation,
            [update_options](const Session& session) { return update(session, *update_options); });
}

void add_looks(CLI::App& app, Invocation& invocation, Scope scope) {
  const std::string list_name = scope == Scope::kVms ? "list" : "ls";
  auto* ls = add_verb(app, invocation, list_name, "List",
                      example(scope, list_name) + example(scope, list_name + " --filter state=running --output json"));
  ls->alias(scope == Scope::kVms ? "ls" : "list");
  ls->alias("ps");
  auto list_options = std::make_shared<ListOptions>();
  list_options->scope = scope;
  auto* running = ls->add_flag("--running", list_options->running_only, "Only what runs");
  // For the fingers of docker users; only --running hides anything.
  ls->add_flag_callback("-a,--all", [] {}, "Those too that do not run, as without it")->excludes(running);
  ls->add_option("--filter", list_options->filters,
                 "state=, isolation=, kind=, zone=, plugin=, deployment=, image=, label=KEY[=VALUE]")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  on_chosen(ls, invocation, [list_options](const Session& session) { return list(session, *list_options); });

  auto* show_verb =
      add_verb(app, invocation, "show", "Show all that is known", example(scope, "show web --output json"));
  show_verb->alias("inspect");
  auto show_options = add_targets(show_verb, scope);
  on_chosen(show_verb, invocation, [show_options](const Session& session) { return show(session, *show_options); });

  auto* stats_verb = add_verb(app, invocation, "stats", "What they use; of all that run when none is named",
                              example(scope, "stats -f") + example(scope, "stats web"));
  auto stats_options = std::make_shared<TargetOptions>();
  auto form = std::make_shared<StatsForm>(StatsForm::kByOutput);
  stats_options->scope = scope;
  stats_verb->add_option("NAME", stats_options->names, "Names");
  auto* follow = stats_verb->add_flag_callback(
      "-f,--follow", [form] { *form = StatsForm::kFollow; }, "Again every second (default on a terminal)");
  stats_verb
      ->add_flag_callback(
          "--no-stream", [form] { *form = StatsForm::kOnce; }, "Once (default elsewhere, and for JSON)")
      ->excludes(follow);
  on_chosen(stats_verb, invocation,
            [stats_options, form](const Session& session) { return stats(session, *stats_options, *form); });

  auto* logs_verb = add_verb(app, invocation, "logs", "What it wrote", example(scope, "logs -f --tail 20 web"));
  auto log_options = std::make_shared<LogOptions>();
  log_options->scope = scope;
  logs_verb->add_option("NAME", log_options->name)->required();
  logs_verb->add_flag("-f,--follow", log_options->follow, "And what it will write");
  logs_verb->add_flag("--timestamps", log_options->timestamps, "With times");
  logs_verb->add_option("--tail,-n", log_options->tail, "Only the last lines");
  logs_verb->add_option("--since", log_options->since,
                        "Only from this time on: how long ago (10m, 2h), or RFC 3339 (UTC)");
  on_chosen(logs_verb, invocation, [log_options](const Session& session) { return logs(session, *log_options); });
}

void add_conversations(CLI::App& app, Invocation& invocation, Scope scope) {
  auto* exec_verb = add_verb(app, invocation, "exec", "Run a command inside: exec [OPTIONS] NAME COMMAND…",
                             example(scope, "exec web nginx -s reload") + example(scope, "exec -it web sh"));
  auto exec_options = std::make_shared<ExecOptions>();
  exec_options->scope = scope;
  exec_verb->prefix_command();
  exec_verb->add_flag("-i,--interactive", exec_options->interactive, "Pass standard input");
  exec_verb->add_flag("-t,--tty", exec_options->terminal, "Give it a terminal");
  exec_verb->add_option("-e,--env", exec_options->env, "NAME=value")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  exec_verb->add_option("-w,--workdir", exec_options->workdir, "Working directory inside");
  exec_verb->add_option("-u,--user", exec_options->user, "User inside");
  exec_verb->callback([exec_verb, &invocation, exec_options] {
    auto words = take_words(*exec_verb, invocation, "NAME");
    if (words.rest.empty()) throw CLI::RequiredError("COMMAND");
    exec_options->name = std::move(words.first);
    exec_options->command = std::move(words.rest);
    invocation.verb = [exec_options](const Session& session) { return exec(session, *exec_options); };
  });

  auto* shell = add_verb(app, invocation, "shell", "A shell inside, on this terminal", example(scope, "shell web"));
  auto shell_options = std::make_shared<ExecOptions>();
  shell_options->scope = scope;
  shell_options->interactive = true;
  shell_options->terminal = true;
  shell_options->command = {"/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh"};
  shell->add_option("NAME", shell_options->name)->required();
  on_chosen(shell, invocation, [shell_options](const Session& session) { return exec(session, *shell_options); });

  for (const bool console : {false, true}) {
    const std::string name = console ? "console" : "attach";
    auto* verb = add_verb(
        app, invocation, name,
        console ? "The terminal of its workload, or a microVM's serial line; Ctrl-P Ctrl-Q leaves it, and it runs on"
                : "Its standard streams, from now on; Ctrl-P Ctrl-Q leaves a terminal, other signals go to its main "
                  "process",
        example(scope, name + " web"));
    auto options = std::make_shared<ExecOptions>();
    options->scope = scope;
    options->console = console;
    verb->add_option("NAME", options->name)->required();
    if (console) {
      verb->add_flag("--serial", options->serial,
                     "The serial line of a microVM, also when its workload has a terminal: the kernel's messages and, "
                     "once a key is pressed, a shell");
    }
    on_chosen(verb, invocation, [options](const Session& session) { return attach(session, *options); });
  }
}

void add_copy(CLI::App& app, Invocation& invocation, Scope scope) {
  auto* verb = add_verb(app, invocation, "cp",
                        "Copy files and directories into an environment or out of one; one of both is NAME:PATH, \"-\" "
                        "is a tar on standard input or output",
                        example(scope, "cp nginx.conf web:/etc/nginx/") + example(scope, "cp web:/var/log/. logs") +
                            example(scope, "cp web:/data - >data.tar"));
  auto options = std::make_shared<CopyOptions>();
  options->scope = scope;
  verb->add_option("FROM", options->from, "File or directory; of \"DIR/.\" only what is in it")
      ->required()
      ->type_name("FILE");
  verb->add_option("TO", options->to, "An existing directory, or a new name")->required()->type_name("FILE");
  verb->add_flag("-L,--follow-link", options->follow, "When FROM is a symbolic link: what it leads to");
  verb->add_flag("--no-owners", options->no_owners, "It shall belong to root inside, or to you out here");
  verb->add_flag("--xattrs", options->xattrs,
                 "Out of an environment: extended attributes (user.*) too, which are always kept on the way in");
  verb->add_option_function<std::string>(
      "--max-size",
      [options](const std::string& text) {
        const auto mib = parse_memory_mib(text);
        if (!mib) throw CLI::ValidationError("--max-size", mib.error().message());
        options->most_mib = *mib;
      },
      "Most that is taken out of an environment: MiB, or with a unit as 20g (default 64g)");
  on_chosen(verb, invocation, [options](const Session& session) { return copy(session, *options); });
}

void add_action(CLI::App& app, Invocation& invocation, Scope scope) {
  auto* verb = add_verb(app, invocation, "action", "Ask the workload something its plugin names; without ACTION: what",
                        example(scope, "action web") + example(scope, "action web reload --data '{\"now\":true}'"));
  auto options = std::make_shared<ActionOptions>();
  options->scope = scope;
  verb->add_option("NAME", options->name)->required();
  verb->add_option("ACTION", options->action, "Its name");
  verb->add_option("-d,--data", options->data, "Body of the request");
  on_chosen(verb, invocation, [options](const Session& session) { return call_action(session, *options); });
}

}  // namespace

void add_target_verbs(CLI::App& app, Invocation& invocation, Scope scope) {
  add_looks(app, invocation, scope);
  add_acts(app, invocation, scope);
  add_switch(app, invocation, scope);
  add_ends(app, invocation, scope);
  add_conversations(app, invocation, scope);
  add_copy(app, invocation, scope);
  add_action(app, invocation, scope);
  add_fork_verb(app, invocation, scope);
}

}  // namespace skerry::cli
