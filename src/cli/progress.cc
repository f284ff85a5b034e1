#include "cli/progress.h"

#include <algorithm>
#include <csignal>

#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/progress_line.h"
#include "cli/table.h"
#include "wire/problem.h"

namespace skerry::cli {
namespace {

constexpr std::size_t kBarWidth = 24;

Error error_of(const wire::JsonNode& operation) {
  const auto error = operation.at("error");
  if (error.is_object()) return wire::parse_problem(static_cast<int>(error.integer("status")), error.dump());
  return Error{ErrorCode::kInternal, 0, cat(operation.text("kind"), " ended as ", operation.text("state")), {}};
}

}  // namespace

std::string progress_line(const wire::JsonNode& operation, std::size_t columns) {
  const auto done = static_cast<std::uint64_t>(std::max<std::int64_t>(operation.integer("done"), 0));
  const auto total = static_cast<std::uint64_t>(std::max<std::int64_t>(operation.integer("total"), 0));
  std::string line = operation.text("stage");
  if (line.empty()) line = operation.text("kind");
  if (total > 0) {
    const auto filled = static_cast<std::size_t>(std::min(done, total) * kBarWidth / total);
    std::string bar(filled, '=');
    if (filled < kBarWidth) bar += '>';
    bar.resize(kBarWidth, ' ');
    line += cat("  [", bar, "]  ", human_bytes(done), " of ", human_bytes(total));
  }
  return line.substr(0, columns > 0 ? columns - 1 : 0);
}

Result<wire::JsonNode> run_operation(const Session& session, std::string_view path, std::string_view body) {
  return watch_operation(session, TRY(wire::JsonNode::parse(TRY(session.http.expect("POST", path, body)).body)));
}

Result<wire::JsonNode> watch_operation(const Session& session, const wire::JsonNode& started) {
  const auto operation_path = cat("/api/v1/operations/", escape(started.text("id")));
  const InterruptGuard guard;
  wire::JsonNode last = started;
  std::string pending;
  {
    ProgressLine line(session.settings);
    HttpClient watcher(session.http.endpoint());
    watcher.stop_when(&interrupted());
    const auto watched = watcher.stream(operation_path + "/watch", "application/x-ndjson", [&](std::string_view bytes) {
      pending += bytes;
      for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n')) {
        if (auto document = wire::JsonNode::parse(pending.substr(0, end)); document) last = std::move(*document);
        pending.erase(0, end + 1);
        if (line.shown()) line.draw(progress_line(last, ProgressLine::columns()));
      }
      return interrupted() == 0;
    });
    if (interrupted() != 0) {
      TRY(session.http.expect("DELETE", operation_path));
      return fail(ErrorCode::kCancelled, cat(last.text("kind"), " ", last.text("subject"), " was cancelled"));
    }
    TRY(watched);
  }
  if (last.text("state") != "succeeded") return fail(error_of(last));
  return last;
}

}  // namespace skerry::cli
