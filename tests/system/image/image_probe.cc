// image_probe: the image store behind a small command line, so that the system tests can drive (and kill) it as a
// process of its own.
//
//   image_probe STORE VERB [ARGUMENT…]
//
// Prints plain lines on success; on failure "CODE: message" on standard error and exit 1.
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "base/file_io.h"
#include "base/text.h"
#include "image/image_builder.h"
#include "image/store.h"

namespace skerry {
namespace {

using Arguments = std::vector<std::string>;

RegistryOptions registry_options() {
  RegistryOptions options;
  if (const char* stall = std::getenv("PROBE_STALL_MS")) {
    options.stall_timeout = std::chrono::milliseconds(std::atol(stall));
  }
  if (const char* answer = std::getenv("PROBE_ANSWER_MS")) {
    options.answer_timeout = std::chrono::milliseconds(std::atol(answer));
  }
  return options;
}

Work printing_work() {
  Work work;
  if (std::getenv("PROBE_PROGRESS") != nullptr) {
    work.progress = [](const Progress& progress) {
      std::cout << "progress " << progress.stage << " " << progress.done << "/" << progress.total << std::endl;
    };
  }
  if (const char* stage = std::getenv("PROBE_CANCEL_AT")) {
    auto reached = std::make_shared<bool>(false);
    work.progress = [reached, stage = std::string(stage)](const Progress& progress) {
      if (progress.stage.starts_with(stage)) *reached = true;
    };
    work.cancelled = [reached] { return *reached; };
  }
  return work;
}

void print(const Image& image) {
  std::cout << "image " << (image.name.empty() ? "-" : image.name) << " " << image.manifest_digest.text() << " "
            << image.layers.size() << " " << image.size << "\n";
}

void print(const RemovedImages& removed) {
  for (const auto& name : removed.names) std::cout << "untagged " << name << "\n";
  for (const auto& digest : removed.manifests) std::cout << "removed " << digest.text() << "\n";
  std::cout << "freed " << removed.freed_bytes << "\n";
}

Status pull(ImageStore& store, const Arguments& arguments) {
  const auto reference = TRY(ImageReference::parse(arguments.at(0)));
  print(TRY(store.pull(reference, registry_options(), printing_work())));
  return {};
}

Status push(ImageStore& store, const Arguments& arguments) {
  const auto target = TRY(ImageReference::parse(arguments.at(1)));
  RegistryOptions options = registry_options();
  options.insecure = arguments.size() > 2 && arguments[2] == "insecure";
  return store.push(arguments.at(0), target, options, printing_work());
}

Status show(ImageStore& store, const Arguments& arguments) {
  const Image image = TRY(store.find(arguments.at(0)));
  print(image);
  for (const auto& word : image.config.entrypoint) std::cout << "entrypoint " << word << "\n";
  for (const auto& word : image.config.cmd) std::cout << "cmd " << word << "\n";
  for (const auto& word : image.config.env) std::cout << "env " << word << "\n";
  for (const auto& port : image.config.exposed_ports) std::cout << "port " << port << "\n";
  for (const auto& layer : image.layers)
    std::cout << "layer " << layer.digest.text() << " " << layer.diff_id.text() << "\n";
  return {};
}

Status list(ImageStore& store, const Arguments&) {
  for (const auto& image : store.list()) print(image);
  return {};
}

Status lower(ImageStore& store, const Arguments& arguments) {
  const Image image = TRY(store.find(arguments.at(0)));
  for (const auto& dir : TRY(store.lower_directories(image, printing_work()))) std::cout << dir << "\n";
  return {};
}

Status disk(ImageStore& store, const Arguments& arguments) {
  const Image image = TRY(store.find(arguments.at(0)));
  std::cout << TRY(store.base_disk(image, printing_work())) << "\n";
  return {};
}

Status remove(ImageStore& store, const Arguments& arguments) {
  print(TRY(store.remove(arguments.at(0))));
  return {};
}

Status prune(ImageStore& store, const Arguments& arguments) {
  std::vector<Digest> in_use;
  for (const auto& text : arguments) in_use.push_back(TRY(Digest::parse(text)));
  print(TRY(store.prune(in_use)));
  return {};
}

Status tag(ImageStore& store, const Arguments& arguments) {
  return store.tag(arguments.at(0), TRY(ImageReference::parse(arguments.at(1))));
}

Status save(ImageStore& store, const Arguments& arguments) {
  return store.save(arguments.at(0), arguments.at(1), printing_work());
}

Status load(ImageStore& store, const Arguments& arguments) {
  const std::string name = arguments.size() > 1 ? arguments.at(1) : std::string();
  print(TRY(store.load(arguments.at(0), name, printing_work())));
  return {};
}

Status import(ImageStore& store, const Arguments& arguments) {
  const auto name = TRY(ImageReference::parse(arguments.at(1)));
  ImageConfig config;
  config.cmd.assign(arguments.begin() + 2, arguments.end());
  print(TRY(store.import_rootfs(arguments.at(0), name, config, printing_work())));
  return {};
}

// build FILE OUTPUT AGENT INIT [KEY]
Status build(ImageStore& store, const Arguments& arguments) {
  BuildRequest request;
  const std::string text = TRY(read_file(arguments.at(0)));
  request.file = TRY(wire::parse_build_file(text));
  request.directory = std::filesystem::path(arguments.at(0)).parent_path().string();
  request.output_dir = arguments.at(1);
  request.default_agent = arguments.at(2);
  request.default_init = arguments.at(3);
  request.runtime = std::filesystem::canonical("/proc/self/exe").parent_path() / "skerry-oci";
  if (arguments.size() > 4) request.signing_key = arguments.at(4);
  const auto built = TRY(build_image(store, request, printing_work()));
  std::cout << built.artifact_path << "\n" << built.digest.text() << "\n" << built.size << "\n" << built.varies << "\n";
  return {};
}

int run(const std::string& dir, const std::string& verb, const Arguments& arguments) {
  const std::map<std::string, std::function<Status(ImageStore&, const Arguments&)>> verbs = {
      {"pull", pull}, {"push", push},     {"show", show},   {"ls", list}, {"lower", lower},
      {"disk", disk}, {"rm", remove},     {"prune", prune}, {"tag", tag}, {"save", save},
      {"load", load}, {"import", import}, {"build", build},
  };
  const auto found = verbs.find(verb);
  if (found == verbs.end()) {
    std::cerr << "unknown verb " << verb << "\n";
    return 2;
  }
  const auto done = [&]() -> Status {
    ImageStoreConfig config;
    config.dir = dir;
    if (const char* entries = std::getenv("PROBE_MAX_ENTRIES")) config.limits.max_entries = std::stoull(entries);
    if (const char* bytes = std::getenv("PROBE_MAX_BYTES")) config.limits.max_stream_bytes = std::stoull(bytes);
    if (const char* bytes = std::getenv("PROBE_MAX_CONTENT")) config.limits.max_content_bytes = std::stoull(bytes);
    const auto store = TRY(ImageStore::open(std::move(config)));
    return found->second(*store, arguments);
  }();
  if (done) return 0;
  std::cerr << error_code_name(done.error().code) << ": " << done.error().message() << "\n";
  return 1;
}

}  // namespace
}  // namespace skerry

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: image_probe STORE VERB [ARGUMENT…]\n";
    return 2;
  }
  return skerry::run(argv[1], argv[2], {argv + 3, argv + argc});
}
