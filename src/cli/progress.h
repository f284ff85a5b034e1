// Long work of the daemon, watched to its end, with a progress line on a terminal.
#pragma once

#include <string>
#include <string_view>

#include "cli/settings.h"
#include "wire/json_node.h"

namespace skerry::cli {

// POSTs `body` to `path`, which answers with an operation, and watches that. The last document of the operation when it
// succeeded, else its error. Interrupted (Ctrl-C), it cancels the operation.
Result<wire::JsonNode> run_operation(const Session& session, std::string_view path, std::string_view body);
// The same of one that has been started: `started` is its document.
Result<wire::JsonNode> watch_operation(const Session& session, const wire::JsonNode& started);

// "downloading  [=====>    ]  12.0 MiB of 30.0 MiB", at most `columns` wide.
std::string progress_line(const wire::JsonNode& operation, std::size_t columns);

}  // namespace skerry::cli
