#include "cli/arguments_internal.h"

namespace skerry::cli {

void add_policy_verbs(CLI::App& app, Invocation& invocation) {
  auto* policy = add_group(app, "policy", "Rules of who may ask what of whom; without a verb: list them");
  list_by_itself(policy, invocation, list_policy);
  auto* ls = add_verb(*policy, invocation, "ls", "List the rules that hold, in their order", "  skerry policy ls\n");
  ls->alias("list");
  on_chosen(ls, invocation, list_policy);
  on_chosen(add_verb(*policy, invocation, "check", "Read the files as they are now, and say what is wrong with them",
                     "  skerry policy check\n"),
            invocation, check_policy);
  on_chosen(add_verb(*policy, invocation, "reload", "Let the files as they are now hold", "  skerry policy reload\n"),
            invocation, reload_policy);
  auto options = std::make_shared<PolicyOptions>();
  auto* explain =
      add_action(*policy, invocation, "explain", "Why one may, or may not (exit code 4), ask this of another",
                 "  skerry policy explain web db net.connect +tcp:5432\n"
                 "  skerry policy explain web @any net.egress +tcp:443\n",
                 options, explain_policy);
  explain->add_option("SOURCE", options->source, "An environment, or @host")->required();
  explain->add_option("TARGET", options->target, "An environment, @host, @dispvm or @any")->required();
  explain->add_option("SERVICE", options->service, "net.connect, net.egress, clipboard.copy, …")->required();
  explain->add_option("ARGUMENT", options->argument, "+tcp:80, +NAME, …; none: any");
}

}  // namespace skerry::cli
