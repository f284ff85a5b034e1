// Running a command inside an environment to its end, for those who want its output as a whole.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "api/context.h"
#include "api/http.h"
#include "wire/requests.h"

namespace skerry::api {

struct ExecOutcome {
  std::optional<std::uint32_t> exit_code;  // unset: its time was up; it still runs
  std::string out;                         // each at most 1 MiB
  std::string err;
  bool truncated = false;
};

// Of the environment that the request's {name} leads to. BLOCKING. kCancelled soon after `cancelled` (may be empty)
// says so; the command is hung up on, as when a client goes.
Result<ExecOutcome> exec_to_end(Context& context, const Request& request, const wire::ExecRequest& exec,
                                const std::function<bool()>& cancelled);

// Who could not have made it may not go in: inside, he would have all that it was given. kNotFound, kRefused.
Result<Environment> find_to_enter(Context& context, const Request& request);

}  // namespace skerry::api
