// What the verbs share that list, show and remove what the API keeps.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/settings.h"
#include "wire/json_node.h"

namespace skerry::cli {

// The API's path of the thing with this name.
using PathOf = std::function<std::string(const std::string& name)>;

// GETs the list at `path` and prints it: JSON when asked for; with --quiet only each one's first cell; else a table.
// `row` gives as many cells as there are headings.
Outcome print_list(const Session& session, std::string_view path, std::vector<std::string> headings,
                   const std::function<std::vector<std::string>(const wire::JsonNode&)>& row);
// Prints the document of each.
Outcome show_each(const Session& session, const std::vector<std::string>& names, const PathOf& path_of);
// DELETEs each. One that cannot be removed is complained about and the others still are; the exit code is the last
// failure's.
Outcome remove_each(const Session& session, const std::vector<std::string>& names, const PathOf& path_of);

}  // namespace skerry::cli
