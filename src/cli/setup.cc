#include "cli/setup.h"

#include <unistd.h>

#include <algorithm>
#include <ranges>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/json_writer.h"

namespace skerry::cli {
namespace {

// The titles of the steps that changed something, one a line.
constexpr const char* kRecord = "/etc/skerry/setup";

std::vector<std::string> read_record() {
  std::vector<std::string> titles;
  const auto text = read_file(kRecord).value_or("");
  for (const auto line : split(text, '\n')) {
    if (!line.empty()) titles.emplace_back(line);
  }
  return titles;
}

Status write_record(const std::vector<std::string>& titles) {
  if (titles.empty()) {
    if (sys::exists(kRecord)) TRY(sys::unlink(kRecord));
    static_cast<void>(sys::rmdir("/etc/skerry"));  // others may keep things there
    return {};
  }
  TRY(sys::mkdir_all("/etc/skerry", 0755));
  return write_file_atomic(kRecord, join(titles, "\n") + "\n", 0644, Durability::kPowerLoss);
}

bool recorded(const std::vector<std::string>& record, const std::string& title) {
  return std::ranges::find(record, title) != record.end();
}

struct StepOutcome {
  std::string word;    // "made", "there already", "would make", "skipped", "removed", "kept"
  std::string detail;  // why; what would be done
};

Status report(const Session& session, const SetupStep& step, const StepOutcome& outcome) {
  if (session.settings.output == OutputForm::kJson) {
    wire::JsonWriter json;
    json.begin_object()
        .field("step", step.title)
        .field("outcome", outcome.word)
        .field("detail", outcome.detail)
        .end_object();
    return print(std::move(json).text() + "\n");
  }
  if (session.settings.quiet) return {};
  std::string text = cat(outcome.word, ": ", step.title, "\n");
  if (!outcome.detail.empty()) {
    for (const auto line : split(trim(outcome.detail), '\n')) text += cat("    ", line, "\n");
  }
  return print(text);
}

Result<StepOutcome> apply(const SetupStep& step, bool dry_run, std::vector<std::string>& record) {
  if (!step.skipped.empty()) return StepOutcome{"skipped", step.skipped};
  if (step.is_done()) return StepOutcome{"there already", {}};
  if (dry_run) return StepOutcome{"would make", step.shown};
  // The record first: what stands in it and was not made does no harm to --undo, the other way round it would stay.
  if (!recorded(record, step.title)) record.push_back(step.title);
  TRY(write_record(record));
  TRY_IN(step.title, step.apply());
  return StepOutcome{"made", {}};
}

Result<StepOutcome> undo(const SetupStep& step, bool dry_run, std::vector<std::string>& record) {
  if (!recorded(record, step.title)) return StepOutcome{"kept", "setup did not make it"};
  if (dry_run) return StepOutcome{"would remove", {}};
  if (auto undone = step.undo(); !undone) {
    // Somebody's data, or somebody who uses it: everything else can still go, and a later --undo looks again.
    return StepOutcome{"kept", undone.error().message()};
  }
  std::erase(record, step.title);
  TRY(write_record(record));
  return StepOutcome{"removed", {}};
}

}  // namespace

Outcome setup(const Session& session, const SetupOptions& options) {
  if (::geteuid() != 0 && !options.dry_run) {
    return fail(ErrorCode::kPermissionDenied, "setup changes this host", "run it as root, or with --dry-run to look");
  }
  auto steps = TRY(setup_steps(options));
  if (options.undo) std::ranges::reverse(steps);
  auto record = read_record();
  for (const auto& step : steps) {
    TRY(report(session, step, TRY((options.undo ? undo : apply)(step, options.dry_run, record))));
  }
  return options.undo && !options.dry_run && !record.empty() ? kExitFailed : kExitSuccess;
}

}  // namespace skerry::cli
