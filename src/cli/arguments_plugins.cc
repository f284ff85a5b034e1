#include "base/text.h"
#include "cli/arguments_internal.h"
#include "cli/manifest_source.h"

namespace skerry::cli {
namespace {

constexpr std::int64_t kWaitSeconds = 600;
constexpr std::int64_t kMostWaitSeconds = 7LL * 24 * 3600;

void add_plugins(CLI::App& app, Invocation& invocation) {
  auto* plugins = add_group(app, "plugins", "Named, versioned manifests of what can be run; without a verb: list them");
  list_by_itself(plugins, invocation, list_plugins);
  auto options = std::make_shared<PluginOptions>();
  auto* ls = add_verb(*plugins, invocation, "list", "List", "  skerry plugins list\n");
  ls->alias("ls");
  on_chosen(ls, invocation, list_plugins);
  auto* install = add_action(*plugins, invocation, "install", "Install a manifest",
                             "  skerry plugins install --manifest nginx.json\n"
                             "  skerry plugins install --manifest https://plugins.example/nginx.json\n",
                             options, install_plugin);
  install
      ->add_option("--manifest", options->manifest_path,
                   "The manifest: a file, a URL, - for standard input, or its JSON")
      ->required()
      ->type_name("FILE|URL")
      ->check([](const std::string& source) { return is_no_file(source) ? std::string() : CLI::ExistingFile(source); });
  struct Each {
    const char* name;
    const char* summary;
    Outcome (*action)(const Session&, const PluginOptions&);
  };
  for (const Each& each :
       {Each{"show", "Show a plugin and its manifest", show_plugins},
        Each{"enable", "Let environments be made from it", enable_plugins},
        Each{"disable", "Refuse new environments of it", disable_plugins}, Each{"remove", "Remove", remove_plugins}}) {
    auto* verb =
        add_action(*plugins, invocation, each.name, each.summary,
                   cat("  skerry plugins ", each.name, " nginx\n  skerry plugins ", each.name, " nginx@1.22\n"),
                   options, each.action);
    verb->add_option("NAME", options->names, "NAME or NAME@VERSION")->required();
    if (each.action == remove_plugins) verb->alias("rm");
    if (each.action == remove_plugins) verb->add_flag("-f,--force", options->force, "Also when it is in use");
  }
}

void add_service_options(CLI::App& verb, DeploymentOptions& options) {
  verb.add_option(
      "--service-port", options.service_ports,
      "PORT:TARGET[/udp]: connections to PORT of the deployment's virtual address are spread over its ready "
      "replicas; may be repeated");
  verb.add_option("--service-address", options.service_address,
                  "The virtual address (default: a free one of the zone's subnet)");
}

void add_wait(CLI::App& verb, DeploymentOptions& options) {
  // A flag, for its value is written with '=': as an option it would swallow the name.
  verb.add_flag_function(
          cat("--wait{", kWaitSeconds, "}"), [&options](std::int64_t seconds) { options.wait_seconds = seconds; },
          cat("Wait until all replicas are ready, or it was taken back; --wait=SECONDS: not longer (default ",
              kWaitSeconds, ")"))
      ->check(CLI::Range(std::int64_t{1}, kMostWaitSeconds).description(""))
      ->type_name("");
}

void add_deployments(CLI::App& app, Invocation& invocation) {
  auto* deployments = add_group(app, "deployments", "Replicas, kept at a number; without a verb: list them");
  list_by_itself(deployments, invocation, list_deployments);
  auto options = std::make_shared<DeploymentOptions>();
  auto* ls = add_verb(*deployments, invocation, "list", "List", "  skerry deployments list\n");
  ls->alias("ls");
  on_chosen(ls, invocation, list_deployments);
  auto* create = add_action(*deployments, invocation, "create", "Create",
                            "  skerry deployments create web --plugin nginx --replicas 3\n"
                            "  skerry deployments create web --image localhost:5000/web:1 --replicas 3\n"
                            "  skerry deployments create web --config web.json --replicas 3\n"
                            "  skerry deployments create web --plugin nginx --replicas 3 --service-port 80:8080\n",
                            options, create_deployment);
  create->add_option("NAME", options->names)->required()->expected(1);
  create->add_option("--plugin", options->plugin, "What its replicas run: NAME (the newest) or NAME@VERSION");
  create->add_option("--config", options->config_path, "Creation request of a replica, without a name (JSON)")
      ->check(CLI::ExistingFile);
  create->add_option("--image", options->image, "What its replicas run, when nothing else has to be said of them")
      ->excludes("--plugin")
      ->excludes("--config");
  create->add_option("--replicas", options->replicas, "How many (default 1)");
  create->add_option("--max-unavailable", options->max_unavailable, "How many may be missing during an update (1)");
  add_service_options(*create, *options);
  auto* scale = add_action(*deployments, invocation, "scale", "Change the number of replicas",
                           "  skerry deployments scale web 5\n  skerry deployments scale web --replicas 5\n", options,
                           scale_deployment);
  // One word: a list would swallow the number.
  scale->add_option_function<std::string>("NAME", [options](const std::string& name) { options->names = {name}; })
      ->required();
  scale->add_option("REPLICAS,--replicas", options->replicas, "How many")->required();
  add_wait(*scale, *options);
  auto* update_one =
      add_action(*deployments, invocation, "update", "Replace the replicas, one by one, by a new configuration",
                 "  skerry deployments update web --config web-2.json\n"
                 "  skerry deployments update web --plugin nginx --wait=120\n",
                 options, update_deployment);
  update_one->add_option("NAME", options->names)->required()->expected(1);
  update_one->add_option("--plugin", options->plugin,
                         "What its replicas are to run: NAME (the newest) or NAME@VERSION");
  update_one->add_option("--config", options->config_path, "Creation request of a replica (JSON)")
      ->check(CLI::ExistingFile);
  update_one->add_option("--image", options->image, "What its replicas are to run, and nothing else said of them")
      ->excludes("--plugin")
      ->excludes("--config");
  update_one->add_option("--max-unavailable", options->max_unavailable, "How many may be missing meanwhile");
  add_service_options(*update_one, *options);
  update_one->add_flag("--no-service", options->no_service, "Give the virtual address back")
      ->excludes("--service-port")
      ->excludes("--service-address");
  add_wait(*update_one, *options);
  auto* roll_back = add_action(*deployments, invocation, "rollback", "Go back to what it ran before the last update",
                               "  skerry deployments rollback web\n", options, roll_back_deployment);
  roll_back->add_option("NAME", options->names)->required()->expected(1);
  add_wait(*roll_back, *options);
  auto* show_one = add_action(*deployments, invocation, "show", "Show", "  skerry deployments show web\n", options,
                              show_deployments);
  show_one->add_option("NAME", options->names)->required();
  auto* remove_one = add_action(*deployments, invocation, "delete", "Delete it and its replicas",
                                "  skerry deployments delete web\n", options, delete_deployments);
  remove_one->alias("rm");
  remove_one->add_option("NAME", options->names)->required();
}

}  // namespace

void add_plugin_verbs(CLI::App& app, Invocation& invocation) {
  add_plugins(app, invocation);
  add_deployments(app, invocation);
}

}  // namespace skerry::cli
