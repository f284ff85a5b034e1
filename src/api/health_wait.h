// Answers that wait for a health check.
#pragma once

#include <functional>

#include "api/context.h"
#include "api/http.h"

namespace skerry::api {

// `answer` of the environment as soon as its first health check has succeeded: at once where it has none or does not
// run; as it is when the run ends before, or after a minute. kNotFound when it is deleted before.
Response when_healthy(Context& context, const Environment& environment,
                      std::function<Response(const Environment&)> answer);

}  // namespace skerry::api
