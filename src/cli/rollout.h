// The replacement of a deployment's replicas, watched to its end, with a progress line on a terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "cli/settings.h"
#include "wire/json_node.h"

namespace skerry::cli {

// `change` asks the daemon for a change of deployment `name` and returns the document that it answered. Then waits
// until all replicas of what that asked for are ready, and no others are there, or `seconds` have passed: the
// deployment's document. kConflict: it was taken back, with the reason, or somebody else has changed it.
// kDeadlineExceeded. kCancelled: interrupted (Ctrl-C); the replacement goes on.
using DeploymentChange = std::function<Result<wire::JsonNode>()>;
Result<wire::JsonNode> change_and_wait(const Session& session, const std::string& name, std::int64_t seconds,
                                       const DeploymentChange& change);

// "web: 2 of 3 ready, 4 there, rolling".
std::string rollout_line(const wire::JsonNode& deployment);

}  // namespace skerry::cli
