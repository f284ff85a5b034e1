#include "cli/arguments_internal.h"

namespace skerry::cli {
void add_kernel_verbs(CLI::App& app, Invocation& invocation) {
  auto* kernels = add_group(app, "kernels", "Kernels that microVMs can boot; without a verb: list them");
  list_by_itself(kernels, invocation, list_kernels);
  auto options = std::make_shared<KernelOptions>();

  auto* ls = add_verb(*kernels, invocation, "ls", "List", "  skerry kernels ls\n");
  ls->alias("list");
  on_chosen(ls, invocation, list_kernels);

  auto* add = add_action(*kernels, invocation, "add", "Add a bzImage or a vmlinux",
                         "  skerry kernels add mine /boot/vmlinuz-6.1.0-custom\n", options, add_kernel);
  add->add_option("NAME", options->name)->required();
  add->add_option("FILE", options->path)->required();

  auto* build =
      add_action(*kernels, invocation, "build", "Build a small kernel from the source of Debian's package linux-source",
                 "  skerry kernels build\n  skerry kernels build small --config my.config\n", options, build_kernel);
  build->add_option("NAME", options->name, "Its name (default: its release)");
  build->add_option("--source", options->source, "linux-source-*.tar.xz (default: the newest of /usr/src)");
  build->add_option("--config", options->config, "A configuration fragment (default: Skerry's own)");

  auto* use =
      add_action(*kernels, invocation, "use", "Choose what microVMs boot from their next start on",
                 "  skerry kernels use 6.1.147-skerry\n  skerry kernels use --default\n", options, choose_kernel);
  auto* name = use->add_option("NAME", options->name);
  use->add_flag("--default", options->distribution, "The distribution's newest")->excludes(name);

  auto* rm = add_action(*kernels, invocation, "rm", "Remove", "  skerry kernels rm mine\n", options, remove_kernels);
  rm->alias("remove");
  rm->add_option("NAME", options->names)->required();
}

}  // namespace skerry::cli
