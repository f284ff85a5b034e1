// skerry images: pull and push with progress, ls, inspect, rm, prune, tag, load, import, save, build.
#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "cli/listing.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/quantities.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_writer.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kImages = "/api/v1/images";

std::string image_path(const std::string& name) { return cat(kImages, "/", escape(name)); }

// All that comes from one file to another.
Status copy_all(int from, int to) {
  std::string chunk(1U << 20U, '\0');
  while (true) {
    const auto got = TRY(sys::read(from, chunk.data(), chunk.size()));
    if (got == 0) return {};
    TRY(sys::write_all(to, {chunk.data(), got}));
  }
}

Status print_result(const Session& session, const wire::JsonNode& operation) {
  if (session.settings.output == OutputForm::kJson) return print_json(operation);
  if (session.settings.quiet) return {};
  const auto name = operation.text("result.name");
  const auto digest = operation.text("result.digest");
  return print(cat(name.empty() ? operation.text("subject") : name, digest.empty() ? "" : "  ", digest, "\n"));
}

}  // namespace

Status pull_image(const Session& session, const std::string& reference, bool insecure) {
  wire::JsonWriter json;
  json.begin_object().field("reference", reference).field("insecure", insecure).end_object();
  TRY(run_operation(session, kImages, std::move(json).text()));
  return {};
}

Outcome pull_images(const Session& session, const ImageOptions& options) {
  for (const auto& name : options.names) {
    wire::JsonWriter json;
    json.begin_object().field("reference", name).field("insecure", options.insecure).end_object();
    TRY(print_result(session, TRY(run_operation(session, kImages, std::move(json).text()))));
  }
  return kExitSuccess;
}

Outcome push_image(const Session& session, const ImageOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("image", options.names.front()).field("target", options.new_name);
  json.field("insecure", options.insecure).end_object();
  TRY(print_result(session, TRY(run_operation(session, cat(kImages, "/push"), std::move(json).text()))));
  return kExitSuccess;
}

Outcome list_images(const Session& session) {
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", kImages)).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
    return kExitSuccess;
  }
  Table table({"NAME", "ID", "SIZE", "LAYERS", "CREATED"});
  std::string names;
  for (const auto& each : json.items()) {
    const auto name = each.text("name");
    const auto id = each.text("id");
    names += cat(name.empty() ? id : name, "\n");
    table.add({name.empty() ? "<none>" : name, id.substr(id.find(':') + 1, 12),
               human_bytes(static_cast<std::uint64_t>(each.integer("size"))), each.text("layers"),
               human_age(each.text("created"))});
  }
  TRY(print(session.settings.quiet ? names : table.text()));
  return kExitSuccess;
}

Outcome inspect_images(const Session& session, const ImageOptions& options) {
  return show_each(session, options.names, image_path);
}

Outcome remove_images(const Session& session, const ImageOptions& options) {
  return remove_each(session, options.names, image_path);
}

Outcome prune_images(const Session& session) {
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("POST", cat(kImages, "/prune"))).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
  } else {
    const auto freed = parse_int<std::uint64_t>(json.text("freed_bytes"), "freed_bytes").value_or(0);
    TRY(print(cat("freed ", human_bytes(freed), "\n")));
  }
  return kExitSuccess;
}

Outcome tag_image(const Session& session, const ImageOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("source", options.names.front()).field("name", options.new_name).end_object();
  TRY(session.http.expect("POST", cat(kImages, "/tag"), std::move(json).text()));
  TRY(print_done(session, options.new_name));
  return kExitSuccess;
}

namespace {

// The daemon reads files, and may want to read one twice: standard input becomes one.
struct Archive {
  std::optional<TempDir> temp;
  std::string path;
};
Result<Archive> archive_of(const std::string& path) {
  if (path != "-") return Archive{{}, TRY(absolute_path(path))};
  Archive archive{TRY(TempDir::create("skerry-load-")), {}};
  archive.path = *archive.temp / "archive.tar";
  const Fd file = TRY(sys::open(archive.path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  TRY_IN("standard input", copy_all(STDIN_FILENO, file.get()));
  return archive;
}

}  // namespace

Outcome load_image(const Session& session, const ImageOptions& options) {
  const Archive archive = TRY(archive_of(options.path));
  wire::JsonWriter json;
  json.begin_object().field("path", archive.path).field("name", options.new_name).end_object();
  TRY(print_result(session, TRY(run_operation(session, cat(kImages, "/load"), std::move(json).text()))));
  return kExitSuccess;
}

Outcome import_image(const Session& session, const ImageOptions& options) {
  const Archive archive = TRY(archive_of(options.path));
  wire::JsonWriter json;
  json.begin_object().field("path", archive.path).field("name", options.new_name);
  json.field("command", options.command).end_object();
  TRY(print_result(session, TRY(run_operation(session, cat(kImages, "/import"), std::move(json).text()))));
  return kExitSuccess;
}

Outcome build_image(const Session& session, const ImageOptions& options) {
  const std::string file = TRY(absolute_path(options.path.empty() ? "skerry.toml" : options.path));
  const std::string output = options.output_dir.empty() ? cat(file.substr(0, file.rfind('/')), "/dist")
                                                        : TRY(absolute_path(options.output_dir));
  wire::JsonWriter json;
  json.begin_object().field("path", file).field("output", output).field("insecure", options.insecure);
  if (!options.signing_key.empty()) json.field("signing_key", TRY(absolute_path(options.signing_key)));
  json.end_object();
  const auto operation = TRY(run_operation(session, cat(kImages, "/build"), std::move(json).text()));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(operation));
    return kExitSuccess;
  }
  if (session.settings.quiet) {
    TRY(print(cat(operation.text("result.manifest"), "\n")));
    return kExitSuccess;
  }
  const auto size = parse_int<std::uint64_t>(operation.text("result.size"), "size").value_or(0);
  TRY(print(cat("artifact  ", operation.text("result.artifact"), "  ", human_bytes(size), "\n          ",
                operation.text("result.digest"), "\nmanifest  ", operation.text("result.manifest"), "\nsbom      ",
                operation.text("result.sbom"), "\n")));
  const std::string varies = operation.text("result.varies");
  if (!varies.empty()) TRY(print(cat("varies    not the same bytes each time: ", varies, "\n")));
  return kExitSuccess;
}

Outcome save_image(const Session& session, const ImageOptions& options) {
  wire::JsonWriter json;
  if (options.path == "-") {
    if (::isatty(STDOUT_FILENO) == 1) {
      return fail(ErrorCode::kInvalidArgument, "an archive is nothing for a terminal", "redirect standard output");
    }
    const auto temp = TRY(TempDir::create("skerry-save-"));
    const std::string path = temp / "archive.tar";
    json.begin_object().field("path", path).field("name", options.names.front()).end_object();
    TRY(run_operation(session, cat(kImages, "/save"), std::move(json).text()));
    const Fd file = TRY(sys::open(path, O_RDONLY));
    TRY_IN("standard output", copy_all(file.get(), STDOUT_FILENO));
    return kExitSuccess;
  }
  json.begin_object().field("path", TRY(absolute_path(options.path))).field("name", options.names.front()).end_object();
  TRY(print_result(session, TRY(run_operation(session, cat(kImages, "/save"), std::move(json).text()))));
  return kExitSuccess;
}

}  // namespace skerry::cli
