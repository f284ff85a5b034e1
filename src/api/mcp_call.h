// Requests of the REST interface made from within the daemon, on behalf of an MCP client: authorised, audited and
// served as if they had come over HTTP.
#pragma once

#include <string>

#include "api/context.h"
#include "api/exec.h"
#include "api/http.h"
#include "api/mcp_tools.h"

namespace skerry::api {

// BLOCKING until the answer is there, a streamed one to its end (at most 1 MiB of it). A refusal is an error.
// kCancelled soon after `progress.cancelled` says so: the command goes on, nobody waits for it.
Result<Response> call_route(Context& context, Request request, const ToolProgress& progress);

// POST /environments/{name}/exec, but ended when cancelled. BLOCKING.
Result<ExecOutcome> call_exec(Context& context, const Request& from, const std::string& environment,
                              const wire::ExecRequest& exec, const ToolProgress& progress);

}  // namespace skerry::api
