#include "cli/arguments_internal.h"
#include "cli/quantities.h"

namespace skerry::cli {
namespace {

// One value each time, so that what follows is never swallowed.
void add_list(CLI::App* verb, const char* flags, std::vector<std::string>& into, const char* help) {
  verb->add_option(flags, into, help)
      ->allow_extra_args(false)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_identity(CLI::App* verb, RunOptions& options) {
  verb->add_option("--name", options.name, "Its name (default: from the image)");
  verb->add_option("--hostname", options.hostname, "Host name inside (default: the name)");
  verb->add_option("--isolation", options.isolation, "container (default), microvm or vm")
      ->check(CLI::IsMember({"container", "microvm", "vm"}));
  verb->add_option("--kind", options.kind, "app (kept; default), disposable (reset on stop) or template")
      ->check(CLI::IsMember({"app", "disposable", "template"}));
  verb->add_option("--zone", options.zone, "Security zone (default: default)");
  verb->add_option("--plugin", options.plugin, "Run this plugin: NAME (the newest) or NAME@VERSION");
  verb->add_option("--config", options.config_path, "Run configuration (JSON)")->check(CLI::ExistingFile);
  add_list(verb, "--label", options.labels, "NAME=value, kept with it");
}

void add_workload(CLI::App* verb, RunOptions& options) {
  add_list(verb, "-e,--env", options.env, "NAME=value, or NAME to pass ours");
  add_list(verb, "--env-file", options.env_files, "File of NAME=value lines");
  verb->add_option("--entrypoint", options.entrypoint, "Program instead of the image's entry point");
  verb->add_option("-w,--workdir", options.workdir, "Working directory inside");
  verb->add_option("-u,--user", options.user, "NAME, UID, NAME:GROUP or UID:GID");
  verb->add_flag("-i,--interactive", options.interactive, "Keep standard input open");
  verb->add_flag("-t,--tty", options.terminal, "Give it a terminal");
}

void add_limits(CLI::App* verb, RunOptions& options) {
  verb->add_option("--cpu,--cpus", options.cpu, "Cores, also parts of one: 0.5 (default 1)");
  add_memory(verb, options.memory_mb, "Memory: MiB, or with a unit as 512m, 1g (default 512)");
  verb->add_option("--pids", options.pids, "Most processes and threads (default 4096)");
  verb->add_option("--restart", options.restart, "no (default), on-failure[:MAX], always or unless-stopped");
}

void add_view(CLI::App* verb, RunOptions& options) {
  add_list(verb, "-v,--volume", options.volumes, "SRC:DST[:ro], a directory or file of the host");
  add_list(verb, "--tmpfs", options.tmpfs, "DST[:MiB], a file system in memory");
  add_list(verb, "-p,--publish", options.ports,
           "[IP:]HOST:GUEST[/udp], a port of the host; PORT alone: the same on both sides");
  add_list(verb, "--dns", options.dns, "Name server");
  verb->add_flag("--read-only", options.read_only, "The root file system cannot be written");
  verb->add_flag("--userns", options.user_namespace, "Root inside is nobody outside");
  add_list(verb, "--cap-add", options.cap_add, "Capability to give");
  add_list(verb, "--cap-drop", options.cap_drop, "Capability to take, or ALL");
  verb->add_option("--seccomp", options.seccomp, "Profile file, or unconfined");
  verb->add_option("--user-data", options.user_data, "For cloud-init in a microVM: \"#cloud-config…\" or a script")
      ->type_name("FILE");
  verb->add_flag("--allow-new-privileges", options.new_privileges, "Set-user-ID programs such as sudo work");
}

// Source and command behind the options; the source may be missing when the options say what to run.
void take_source(const CLI::App& verb, const Invocation& invocation, RunOptions& options) {
  const bool named = options.plugin.has_value() || !options.config_path.empty();
  const auto given = words_behind(verb, invocation);
  if (given.empty() && named) return;
  if (named && given.front() == "--") {
    options.command.assign(given.begin() + 1, given.end());
    return;
  }
  auto words = take_words(verb, invocation, "IMAGE");
  if (options.plugin) {
    throw CLI::ValidationError(
        words.first,
        "beside --plugin there is no image to name: the plugin has its own (a command for it goes behind --)");
  }
  options.source = std::move(words.first);
  options.command = std::move(words.rest);
}

void on_chosen_run(CLI::App* verb, Invocation& invocation, const std::shared_ptr<RunOptions>& options,
                   Outcome (*action)(const Session&, const RunOptions&)) {
  verb->callback([verb, &invocation, options, action] {
    take_source(*verb, invocation, *options);
    invocation.verb = [options, action](const Session& session) { return action(session, *options); };
  });
}

}  // namespace

void add_memory(CLI::App* verb, std::optional<std::uint32_t>& into, const std::string& help) {
  verb->add_option_function<std::string>(
      "--memory,-m",
      [&into](const std::string& text) {
        const auto mib = parse_memory_mib(text);
        if (!mib) throw CLI::ValidationError("--memory", mib.error().message());
        into = *mib;
      },
      help);
}

std::shared_ptr<RunOptions> add_run_options(CLI::App* verb, Scope scope) {
  auto options = std::make_shared<RunOptions>();
  options->scope = scope;
  // What comes behind the image belongs to the command inside, dashes or not.
  verb->prefix_command();
  add_identity(verb, *options);
  add_workload(verb, *options);
  add_limits(verb, *options);
  add_view(verb, *options);
  verb->add_option("--pull", options->pull, "missing (default), always or never")
      ->check(CLI::IsMember({"missing", "always", "never"}));
  verb->add_flag("--insecure", options->insecure_pull, "Pull over plain HTTP or with an unknown certificate");
  return options;
}

void add_run_verbs(CLI::App& app, Invocation& invocation) {
  auto* run_verb =
      add_verb(app, invocation, "run", "Create an environment and start it: run [OPTIONS] IMAGE|PLUGIN [COMMAND…]",
               "  skerry run --rm debian echo hello\n"
               "  skerry run -d --name web -p 8000:80 --isolation microvm localhost:5000/nginx\n"
               "  skerry run -it --rm debian bash\n");
  auto options = add_run_options(run_verb, Scope::kEnvironments);
  run_verb->add_flag("--rm", options->remove, "Delete it when it ends");
  run_verb->add_flag("-d,--detach", options->detach, "Do not stay with it: print its name");
  on_chosen_run(run_verb, invocation, options, run);

  auto* create_one = add_verb(app, invocation, "create",
                              "Create an environment without starting it: create [OPTIONS] IMAGE|PLUGIN [COMMAND…]",
                              "  skerry create --name db --memory 1024 localhost:5000/postgres\n");
  on_chosen_run(create_one, invocation, add_run_options(create_one, Scope::kEnvironments), create);
}

void add_vm_verbs(CLI::App& app, Invocation& invocation) {
  auto* vms = add_group(app, "vms", "The same verbs, limited to microVMs and VMs; without a verb: list them");
  list_by_itself(vms, invocation, [](const Session& session) {
    ListOptions options;
    options.scope = Scope::kVms;
    return list(session, options);
  });
  auto* create_one = add_verb(*vms, invocation, "create", "Create a VM and start it",
                              "  skerry vms create nginx-demo --plugin nginx --cpu 2 --memory 1024\n");
  auto options = add_run_options(create_one, Scope::kVms);
  auto image = std::make_shared<std::string>();
  create_one->add_option("--image", *image, "Run this image instead of a plugin");
  create_one->prefix_command(false);
  create_one->add_option("NAME", options->name, "Its name")->required();
  create_one->callback([&invocation, options, image] {
    options->source = *image;
    invocation.verb = [options](const Session& session) { return create_vm(session, *options); };
  });
  add_target_verbs(*vms, invocation, Scope::kVms);
}

}  // namespace skerry::cli
