#include "cli/rollout.h"

#include <chrono>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/progress_line.h"

namespace skerry::cli {
namespace {

constexpr Duration kBetweenLooks = std::chrono::milliseconds(200);

std::string path_of(const std::string& name) { return cat("/api/v1/deployments/", escape(name)); }

bool runs_the_same(const wire::JsonNode& left, const wire::JsonNode& right) {
  return left.text("plugin") == right.text("plugin") && left.text("plugin_version") == right.text("plugin_version") &&
         left.at("config").dump() == right.at("config").dump();
}

bool is_over(const wire::JsonNode& deployment) {
  const auto wanted = deployment.integer("replicas");
  return !deployment.at("rolling").flag() && deployment.integer("current") == wanted &&
         deployment.integer("ready") == wanted;
}

Result<std::int64_t> last_event(const Session& session) {
  return TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", "/api/v1/system")).body)).integer("last_event_id");
}

// Why it does not run what was asked for any more.
Error why_changed(const Session& session, const std::string& name, std::int64_t after) {
  Error other{ErrorCode::kConflict, 0, cat(name, ": somebody else has changed what it is to run"), {}};
  const auto answer = session.http.expect(
      "GET", cat("/api/v1/events?after=", after, "&type=deployment.rolled_back&resource=", escape(name)));
  if (!answer) return other;
  const auto events = wire::JsonNode::parse(answer->body);
  if (!events || events->items().empty()) return other;
  const auto reason = events->items().front().text("data.reason");
  return {ErrorCode::kConflict, 0, cat(name, ": was taken back", reason.empty() ? "" : ": ", reason), {}};
}

Error too_late(const std::string& name, std::int64_t seconds, const wire::JsonNode& now) {
  const auto reason = now.text("reason");
  return {ErrorCode::kDeadlineExceeded, 0,
          cat(rollout_line(now), ", after ", seconds, " s", reason.empty() ? "" : cat(" (", reason, ")")),
          cat("it goes on; see: skerry deployments show ", name)};
}

// Whoever is behind a daemon that is being replaced sees it a moment later.
Result<std::optional<wire::JsonNode>> look(const Session& session, const std::string& name) {
  auto answer = session.http.expect("GET", path_of(name));
  if (!answer && answer.error().code == ErrorCode::kUnavailable) return std::nullopt;
  return TRY(wire::JsonNode::parse(TRY(std::move(answer)).body));
}

}  // namespace

std::string rollout_line(const wire::JsonNode& deployment) {
  return cat(deployment.text("name"), ": ", deployment.text("ready"), " of ", deployment.text("replicas"), " ready, ",
             deployment.text("current"), " there", deployment.at("rolling").flag() ? ", rolling" : "");
}

Result<wire::JsonNode> change_and_wait(const Session& session, const std::string& name, std::int64_t seconds,
                                       const DeploymentChange& change) {
  const auto before = TRY(last_event(session));
  auto asked = TRY(change());
  const SystemClock clock;
  const MonoTime until = clock.monotonic() + std::chrono::seconds(seconds);
  const InterruptGuard guard;
  ProgressLine line(session.settings);
  for (auto now = asked; !is_over(now); std::this_thread::sleep_for(kBetweenLooks)) {
    if (auto seen = TRY(look(session, name))) now = std::move(*seen);
    if (!runs_the_same(now, asked)) return fail(why_changed(session, name, before));
    if (is_over(now)) return now;
    if (interrupted() != 0) return fail(ErrorCode::kCancelled, cat(name, ": interrupted; the replacement goes on"));
    if (clock.monotonic() >= until) return fail(too_late(name, seconds, now));
    if (line.shown()) line.draw(rollout_line(now).substr(0, ProgressLine::columns()));
  }
  return asked;
}

}  // namespace skerry::cli
