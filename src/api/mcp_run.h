// The tools that are more than one request: a command or a piece of code in a disposable environment, a command in an
// environment that is there, and pulling an image to its end.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "api/mcp_tools.h"

namespace skerry::api {

// Create, write files, run, read files, delete. Whatever happens, nothing of it is left: the environment is deleted on
// every way out, and ends by itself should the daemon be killed meanwhile.
Result<ToolAnswer> run_command_tool(Context& context, const Request& from, const std::string& arguments,
                                    const ToolProgress& progress);
Result<ToolAnswer> run_code_tool(Context& context, const Request& from, const std::string& arguments,
                                 const ToolProgress& progress);
Result<ToolAnswer> exec_tool(Context& context, const Request& from, const std::string& arguments,
                             const ToolProgress& progress);
// Follows the operation that a pull is; a client that gives up cancels it.
Result<ToolAnswer> pull_image_tool(Context& context, const Request& from, const std::string& arguments,
                                   const ToolProgress& progress);

// The highest "oom_kill N" among the lines of the kernel's counters (memory.events, memory.oom_control, vmstat); unset:
// there is none.
std::optional<std::uint64_t> oom_kills_in(std::string_view counters);

}  // namespace skerry::api
