// Environments as JSON: the database column, the API's creation request and the API's document.
//
// One vocabulary for all three: a field of the request has the same name and form in the stored specification. The
// request is more forgiving in form (a port may be "8080:80/udp"), never in content: an unknown field or a wrong type
// is kInvalidArgument that names its path ("ports[0].host_port: must be …").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/command.h"
#include "core/environment.h"

namespace skerry::wire {

// ── the database column ──
// One line; parse_environment_spec(environment_spec_json(x)) == x.
std::string environment_spec_json(const EnvironmentSpec& spec);
// Strict: unknown fields and wrong types are errors; missing fields take their defaults.
Result<EnvironmentSpec> parse_environment_spec(std::string_view json);

// ── the API ──
// The body of POST /api/v1/environments and /vms. The specification's fields, and besides them
//   cpu_cores, memory_mb   short for resources.cpu_cores and resources.memory_mb
//   ports                  also as strings: HOST:GUEST[/udp]
//   mounts                 also as strings: SRC:DST[:ro]
//   restart                also as a string: no, on-failure[:MAX], always, unless-stopped
//   start (default true)   start it at once
//   wait  (default true)   answer when it runs (and is healthy, when it has a check)
// Without a name it gets one derived from what it runs. `default_isolation` is what it is when the body does not say.
struct CreateRequest {
  CreateCommand command;
  bool wait = true;
};
Result<CreateRequest> parse_create_request(std::string_view body, Isolation default_isolation = Isolation::kContainer);
// The inverse, for clients.
std::string create_request_json(const CreateRequest& request);

// The body of PATCH /environments/{name}: {"cpu_cores", "memory_mb", "pids"} or the same below "resources". What is
// missing stays as in `current`.
Result<Resources> parse_update_request(std::string_view body, const Resources& current);

// The document of an environment. Its first fields, in this order, are the microVM document's: name, plugin, ip, state,
// resources{cpu_cores, memory_mb}.
std::string environment_json(const Environment& environment);
// An array of them.
std::string environments_json(const std::vector<Environment>& environments);

// A name for an environment that was given none: the last word of its image (or plugin) and six random letters.
std::string generated_name(const EnvironmentSpec& spec);

}  // namespace skerry::wire
