// skerry completion, skerry man, and what the completion scripts ask.
#include "base/file_io.h"
#include "base/text.h"
#include "cli/completion.h"
#include "cli/man_page.h"
#include "cli/output.h"
#include "cli/verbs.h"

namespace skerry::cli {
namespace {

struct Listing {
  std::string_view path;
  std::string_view field;
};
Listing listing_of(NameSource source) {
  switch (source) {
    case NameSource::kEnvironments: return {"/api/v1/environments", "name"};
    case NameSource::kVms: return {"/api/v1/vms", "name"};
    case NameSource::kImages: return {"/api/v1/images", "name"};
    case NameSource::kKernels: return {"/api/v1/kernels", "name"};
    case NameSource::kPlugins: return {"/api/v1/plugins", "name"};
    case NameSource::kDeployments: return {"/api/v1/deployments", "name"};
    case NameSource::kTokens: return {"/api/v1/tokens", "name"};
    case NameSource::kZones: return {"/api/v1/zones", "name"};
    case NameSource::kOperations: return {"/api/v1/operations", "id"};
    case NameSource::kNone: break;
  }
  return {};
}

// No daemon, or one that does not let us: nothing to offer.
std::vector<std::string> names_of(const Session& session, NameSource source) {
  const auto listing = listing_of(source);
  const auto answer = session.http.expect("GET", listing.path);
  if (!answer) return {};
  const auto list = wire::JsonNode::parse(answer->body);
  if (!list) return {};
  std::vector<std::string> names;
  for (const auto& each : list->items()) names.push_back(each.text(listing.field));
  return names;
}

}  // namespace

Outcome print_completion(const std::string& shell) {
  TRY(print(TRY(completion_script(shell))));
  return kExitSuccess;
}

Outcome offer(const Session& session, const CommandText& skerry, const std::vector<std::string>& words) {
  const auto candidates = complete(skerry, words, [&session](NameSource source) { return names_of(session, source); });
  TRY(print(candidates_text(candidates)));
  return kExitSuccess;
}

Outcome print_man(const CommandText& skerry, const ManOptions& options) {
  if (!options.directory.empty()) {
    for (const auto& page : man_pages(skerry)) {
      TRY(write_file_atomic(cat(options.directory, "/", page.file), page.text, 0644));
    }
    return kExitSuccess;
  }
  TRY(print(TRY(man_page_of(skerry, options.command)).text));
  return kExitSuccess;
}

}  // namespace skerry::cli
