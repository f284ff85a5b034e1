// skerry kernels: ls, add, build, use, rm.
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

constexpr std::string_view kKernels = "/api/v1/kernels";

Status print_made(const Session& session, const wire::JsonNode& operation) {
  if (session.settings.output == OutputForm::kJson) return print_json(operation);
  const std::string name = operation.text("result.name");
  TRY(print(cat(name, "\n")));
  if (session.settings.quiet) return {};
  return print(cat("microVMs boot it after: skerry kernels use ", name, "\n"));
}

}  // namespace

Outcome list_kernels(const Session& session) {
  return print_list(session, kKernels, {"NAME", "RELEASE", "ORIGIN", "CHOSEN", "SIZE", "CREATED"},
                    [](const wire::JsonNode& each) {
                      const auto size = each.integer("vmlinux.size") + each.integer("bzImage.size");
                      return std::vector<std::string>{each.text("name"),
                                                      each.text("release"),
                                                      each.text("origin"),
                                                      each.at("chosen").flag() ? "yes" : "",
                                                      human_bytes(static_cast<std::uint64_t>(size)),
                                                      human_age(each.text("created_at"))};
                    });
}

Outcome add_kernel(const Session& session, const KernelOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("name", options.name).field("path", TRY(absolute_path(options.path))).end_object();
  TRY(print_made(session, TRY(run_operation(session, kKernels, std::move(json).text()))));
  return kExitSuccess;
}

Outcome build_kernel(const Session& session, const KernelOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("name", options.name);
  if (!options.source.empty()) json.field("source", TRY(absolute_path(options.source)));
  if (!options.config.empty()) json.field("config", TRY(absolute_path(options.config)));
  json.end_object();
  TRY(print_made(session, TRY(run_operation(session, cat(kKernels, "/build"), std::move(json).text()))));
  return kExitSuccess;
}

Outcome choose_kernel(const Session& session, const KernelOptions& options) {
  if (options.name.empty() && !options.distribution) {
    return fail(ErrorCode::kInvalidArgument, "which kernel?", "skerry kernels use NAME, or --default");
  }
  wire::JsonWriter json;
  json.begin_object().field("name", options.name).end_object();
  TRY(session.http.expect("POST", cat(kKernels, "/choose"), std::move(json).text()));
  TRY(print_done(session, options.name.empty() ? "the distribution's newest" : options.name));
  return kExitSuccess;
}

Outcome remove_kernels(const Session& session, const KernelOptions& options) {
  return remove_each(session, options.names, [](const std::string& name) { return cat(kKernels, "/", escape(name)); });
}

}  // namespace skerry::cli
