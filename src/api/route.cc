#include "api/route.h"

#include <algorithm>

#include "api/handlers.h"
#include "base/text.h"

namespace skerry::api {
namespace {

constexpr std::size_t kMaxSegments = 64;

// Whether `path` has the form of `pattern`; fills the parameters.
Result<bool> matches(std::string_view pattern, std::string_view path, std::map<std::string, std::string>& parameters) {
  const auto wanted = split(pattern, '/');
  const auto given = split(path, '/');
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto part = wanted[i];
    if (part.starts_with('{') && part.ends_with("*}")) {
      if (i >= given.size()) return false;
      const bool may_be_empty = part.ends_with("**}");
      // The rest as it stands: a reference may hold slashes, escaped or not.
      const auto rest = path.substr(static_cast<std::size_t>(given[i].data() - path.data()));
      const auto name = part.substr(1, part.size() - (may_be_empty ? 4 : 3));
      parameters[std::string(name)] = TRY(percent_decode(rest, Plus::kLiteral));
      return may_be_empty || !rest.empty();
    }
    if (i >= given.size()) return false;
    if (part.starts_with('{')) {
      if (given[i].empty()) return false;
      parameters[std::string(part.substr(1, part.size() - 2))] = TRY(percent_decode(given[i], Plus::kLiteral));
    } else if (part != given[i]) {
      return false;
    }
  }
  return wanted.size() == given.size();
}

}  // namespace

Result<Match> find_route(std::string_view method, std::string_view path) {
  if (split(path, '/').size() > kMaxSegments) return fail(ErrorCode::kNotFound, "no such path");
  bool path_exists = false;
  for (const auto& route : routes()) {
    Match match{&route, {}};
    if (!TRY(matches(route.path, path, match.parameters))) continue;
    if (route.method == method) return match;
    path_exists = true;
  }
  if (path_exists) {
    return fail(ErrorCode::kUnsupported, cat("method ", method.substr(0, 16), " is not allowed here"),
                cat("use ", allowed_methods(path)));
  }
  return fail(ErrorCode::kNotFound, cat("no such path: ", path.substr(0, 128)), "see /openapi.json");
}

Status check_query(const Route& route, const std::map<std::string, std::string>& query) {
  if (query.empty() || route.handler == ask_workload) return {};
  const auto words = split(route.query, ' ');
  const std::vector<std::string> known(words.begin(), words.end());
  for (const auto& [name, value] : query) {
    if (!name.empty() && std::ranges::find(known, name) != known.end()) continue;
    return fail(ErrorCode::kInvalidArgument, cat("query ", name.substr(0, 64), ": is not known here"),
                route.query.empty() ? "this path takes none" : cat("there are ", join(known, ", ")));
  }
  return {};
}

std::string allowed_methods(std::string_view path) {
  std::string list;
  for (const auto& route : routes()) {
    std::map<std::string, std::string> parameters;
    const auto found = matches(route.path, path, parameters);
    if (found && *found) list += cat(list.empty() ? "" : ", ", route.method);
  }
  return list;
}

}  // namespace skerry::api
