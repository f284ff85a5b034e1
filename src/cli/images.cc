// skerry images: pull with progress, ls, inspect, rm, prune, tag, load, save, build.
#include <unistd.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_writer.h"

namespace skerry::cli {
namespace {

constexpr std::string_view kImages = "/api/v1/images";

std::string image_path(const std::string& name) { return cat(kImages, "/", escape(name)); }

// Absolute, because the daemon has another working directory.
std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char* here = ::get_current_dir_name();
  std::string out = cat(here != nullptr ? here : "", "/", path);
  ::free(here);
  return out;
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
  for (const auto& name : options.names) {
    TRY(print_json(TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", image_path(name))).body))));
  }
  return kExitSuccess;
}

Outcome remove_images(const Session& session, const ImageOptions& options) {
  int code = kExitSuccess;
  for (const auto& name : options.names) {
    const auto removed = session.http.expect("DELETE", image_path(name));
    if (!removed) {
      complain(removed.error());
      code = exit_code_of(removed.error());
    } else {
      TRY(print_done(session, name));
    }
  }
  return code;
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

Outcome load_image(const Session& session, const ImageOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("path", absolute(options.path)).field("name", options.new_name).end_object();
  TRY(print_result(session, TRY(run_operation(session, cat(kImages, "/load"), std::move(json).text()))));
  return kExitSuccess;
}

Outcome build_image(const Session& session, const ImageOptions& options) {
  const std::string file = absolute(options.path.empty() ? "skerry.toml" : options.path);
  const std::string output =
      options.output_dir.empty() ? cat(file.substr(0, file.rfind('/')), "/dist") : absolute(options.output_dir);
  wire::JsonWriter json;
  json.begin_object().field("path", file).field("output", output).field("insecure", options.insecure);
  if (!options.signing_key.empty()) json.field("signing_key", absolute(options.signing_key));
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
  return kExitSuccess;
}

Outcome save_image(const Session& session, const ImageOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("path", absolute(options.path)).field("name", options.names.front()).end_object();
  TRY(print_result(session, TRY(run_operation(session, cat(kImages, "/save"), std::move(json).text()))));
  return kExitSuccess;
}

}  // namespace skerry::cli
