#include "cli/listing.h"

#include "base/text.h"
#include "cli/output.h"
#include "cli/table.h"

namespace skerry::cli {

Outcome print_list(const Session& session, std::string_view path, std::vector<std::string> headings,
                   const std::function<std::vector<std::string>(const wire::JsonNode&)>& row) {
  const auto json = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", path)).body));
  if (session.settings.output == OutputForm::kJson) {
    TRY(print_json(json));
    return kExitSuccess;
  }
  Table table(std::move(headings));
  std::string names;
  for (const auto& each : json.items()) {
    auto cells = row(each);
    names += cat(cells.front(), '\n');
    table.add(std::move(cells));
  }
  TRY(print(session.settings.quiet ? names : table.text()));
  return kExitSuccess;
}

Outcome show_each(const Session& session, const std::vector<std::string>& names, const PathOf& path_of) {
  for (const auto& name : names) {
    TRY(print_json(TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", path_of(name))).body))));
  }
  return kExitSuccess;
}

Outcome remove_each(const Session& session, const std::vector<std::string>& names, const PathOf& path_of) {
  int code = kExitSuccess;
  for (const auto& name : names) {
    const auto removed = session.http.expect("DELETE", path_of(name));
    if (removed) {
      TRY(print_done(session, name));
    } else {
      complain(removed.error());
      code = exit_code_of(removed.error());
    }
  }
  return code;
}

}  // namespace skerry::cli
