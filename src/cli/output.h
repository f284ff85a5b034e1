// Writing to standard output and standard error.
#pragma once

#include <string_view>

#include "base/result.h"
#include "wire/json_node.h"

namespace skerry::cli {

// kIo when the reader has gone or the disk is full: never silently cut.
Status print(std::string_view text);
// A document for programs: indented JSON and a line end.
Status print_json(const wire::JsonNode& node);
// "skerry: …" on standard error, one line.
void complain(const Error& error);
void note(std::string_view text);

}  // namespace skerry::cli
