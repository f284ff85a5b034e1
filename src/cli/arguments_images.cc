#include "cli/arguments_internal.h"

namespace skerry::cli {
void add_image_verbs(CLI::App& app, Invocation& invocation) {
  auto* images = add_group(app, "images", "Images; without a verb: list them");
  list_by_itself(images, invocation, list_images);
  auto options = std::make_shared<ImageOptions>();

  auto* pull = add_action(*images, invocation, "pull", "Fetch from a registry",
                          "  skerry images pull localhost:5000/web:1\n", options, pull_images);
  pull->add_option("REFERENCE", options->names)->required();
  pull->add_flag("--insecure", options->insecure, "Over plain HTTP or with an unknown certificate");

  auto* push = add_action(*images, invocation, "push", "Send to a registry; credentials are those of skopeo login",
                          "  skerry images push localhost:5000/web:1\n"
                          "  skerry images push web:1 registry.example/team/web:1\n",
                          options, push_image);
  // One word each: a list would swallow both.
  push->add_option_function<std::string>("IMAGE", [options](const std::string& name) { options->names = {name}; })
      ->required();
  push->add_option("TARGET", options->new_name, "Under this name (default: its own)");
  push->add_flag("--insecure", options->insecure, "Over plain HTTP or with an unknown certificate");

  auto* ls = add_verb(*images, invocation, "ls", "List", "  skerry images ls --output json\n");
  ls->alias("list");
  on_chosen(ls, invocation, list_images);

  add_action(*images, invocation, "inspect", "Show all that is known, as JSON", "  skerry images inspect web:1\n",
             options, inspect_images)
      ->add_option("IMAGE", options->names)
      ->required();
  add_action(*images, invocation, "rm", "Remove", "  skerry images rm web:1\n", options, remove_images)
      ->add_option("IMAGE", options->names)
      ->required();
  auto* prune =
      add_verb(*images, invocation, "prune", "Remove nameless images that nobody uses", "  skerry images prune\n");
  on_chosen(prune, invocation, prune_images);

  auto* tag = add_action(*images, invocation, "tag", "Give an image one more name",
                         "  skerry images tag localhost:5000/web:1 web:stable\n", options, tag_image);
  // One word each: a list would swallow both.
  tag->add_option_function<std::string>("IMAGE", [options](const std::string& name) { options->names = {name}; })
      ->required();
  tag->add_option("NAME", options->new_name)->required();

  auto* build =
      add_action(*images, invocation, "build", "Make a disk or an initramfs, and the manifest of a plugin that runs it",
                 "  skerry images build -f skerry.toml --output-dir dist\n"
                 "  skerry plugins install --manifest dist/manifest.json\n",
                 options, build_image);
  build->add_option("-f,--file", options->path, "The build file (default: skerry.toml)");
  build->add_option("--output-dir", options->output_dir, "Where to (default: dist beside the build file)");
  build->add_option("--sign", options->signing_key, "Sign with this minisign secret key (one without a password)");
  build->add_flag("--insecure", options->insecure, "Registry over plain HTTP or with an unknown certificate");

  auto* load = add_action(*images, invocation, "load", "Read an OCI or docker archive",
                          "  skerry images load -i web.tar\n", options, load_image);
  load->add_option("-i,--input", options->path, "The archive; - for standard input")->required();
  load->add_option("--name", options->new_name, "Its name here (default: the one it carries)");
  auto* import = add_action(*images, invocation, "import", "Make an image of a root file system's tar",
                            "  skerry images import rootfs.tar.gz base:1 -- /bin/sh\n", options, import_image);
  import->add_option("FILE", options->path, "The tar, compressed or not; - for standard input")->required();
  import->add_option("NAME", options->new_name)->required();
  import->add_option("COMMAND", options->command, "What runs in it when nothing else is said");
  auto* save = add_action(*images, invocation, "save", "Write an OCI archive",
                          "  skerry images save web:1 -f web.tar\n", options, save_image);
  save->add_option("IMAGE", options->names)->required()->expected(1);
  save->add_option("-f,--file", options->path, "The archive; - for standard output")->required();
}

}  // namespace skerry::cli
