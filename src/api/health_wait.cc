#include "api/health_wait.h"

#include "base/text.h"

namespace skerry::api {
namespace {

constexpr Duration kHealthDeadline = std::chrono::seconds(60);
constexpr Duration kLookAgain = std::chrono::milliseconds(50);

}  // namespace

Response when_healthy(Context& context, const Environment& environment,
                      std::function<Response(const Environment&)> answer) {
  if (!environment.spec.health_check || environment.status.state != State::kRunning) return answer(environment);
  const MonoTime deadline = context.ports.clock.monotonic() + kHealthDeadline;
  auto look = [&context, id = environment.id, name = environment.spec.name, deadline,
               answer = std::move(answer)]() -> Result<std::optional<Response>> {
    const auto now = TRY(context.ports.controller.find(name));
    // Its name may be that of somebody else's by now, of a zone that this caller knows nothing of.
    if (now.id != id) return fail(ErrorCode::kNotFound, cat("environment \"", name, "\" was deleted meanwhile"));
    const bool settled = now.status.state != State::kRunning || now.status.health == Health::kHealthy ||
                         context.ports.clock.monotonic() >= deadline;
    if (!settled) return std::optional<Response>();
    return std::optional<Response>(answer(now));
  };
  Response response;
  response.later = Later{std::move(look), kLookAgain};
  return response;
}

}  // namespace skerry::api
