// Writing to standard output and standard error.
#pragma once

#include <string_view>

#include "base/result.h"
#include "cli/settings.h"
#include "wire/json_node.h"

namespace skerry::cli {

// kIo when the reader has gone or the disk is full: never silently cut.
Status print(std::string_view text);
// A document for programs: indented JSON and a line end.
Status print_json(const wire::JsonNode& node);
// What a verb says that has done something to `name` and has nothing else to tell: the name, for scripts to go on with;
// {"name": …} when JSON was asked for; nothing when quiet.
Status print_done(const Session& session, std::string_view name);
// "skerry: …" on standard error, one line.
void complain(const Error& error);
void note(std::string_view text);

}  // namespace skerry::cli
