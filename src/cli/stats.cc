// skerry stats: what environments use; on a terminal a table that is drawn anew every second. Else a table of one
// second, or JSON of this moment.
#include <poll.h>
#include <unistd.h>

#include <map>

#include "base/clock.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

constexpr int kPeriodMs = 1000;

struct CpuMark {
  std::int64_t cpu_ns = 0;
  MonoTime when;
};
using CpuMarks = std::map<std::string, CpuMark>;

std::string bytes_or_dash(const wire::JsonNode& value) {
  return value.is_null() ? "-" : human_bytes(static_cast<std::uint64_t>(value.integer()));
}

// Percent of one core since the last sample; "-" for the first.
std::string cpu_percent(const std::string& name, const wire::JsonNode& stats, CpuMarks& marks) {
  const auto cpu = stats.at("cpu_ns");
  if (cpu.is_null()) return "-";
  const CpuMark now{cpu.integer(), SystemClock().monotonic()};
  const auto before = marks.find(name);
  std::string out = "-";
  if (before != marks.end() && now.when.ns > before->second.when.ns) {
    const auto tenths = (now.cpu_ns - before->second.cpu_ns) * 1000 / (now.when - before->second.when).count();
    out = cat(tenths / 10, ".", tenths % 10, " %");
  }
  marks[name] = now;
  return out;
}

Result<std::vector<std::string>> running_names(const Session& session, Scope scope) {
  const auto answer = TRY(session.http.expect("GET", cat(path_of(scope), "?state=running")));
  std::vector<std::string> names;
  for (const auto& each : TRY(wire::JsonNode::parse(answer.body)).items()) names.push_back(each.text("name"));
  return names;
}

Result<std::string> sample(const Session& session, const TargetOptions& options, CpuMarks& marks) {
  const auto names = options.names.empty() ? TRY(running_names(session, options.scope)) : options.names;
  Table table({"NAME", "CPU", "MEMORY", "LIMIT", "PIDS", "READ", "WRITTEN", "RECEIVED", "SENT"});
  std::string json;
  for (const auto& name : names) {
    const auto answer = session.http.expect("GET", cat(path_of(options.scope), "/", escape(name), "/stats"));
    // It may have gone since it was listed.
    if (!answer && options.names.empty() && answer.error().code == ErrorCode::kNotFound) continue;
    const auto stats = TRY(wire::JsonNode::parse(TRY(answer).body));
    json += stats.dump() + "\n";
    const auto pids = stats.at("pids");
    table.add({name, cpu_percent(name, stats, marks), bytes_or_dash(stats.at("memory_bytes")),
               bytes_or_dash(stats.at("memory_limit_bytes")), pids.is_null() ? "-" : pids.text(),
               bytes_or_dash(stats.at("io_read_bytes")), bytes_or_dash(stats.at("io_write_bytes")),
               bytes_or_dash(stats.at("net_rx_bytes")), bytes_or_dash(stats.at("net_tx_bytes"))});
  }
  return session.settings.output == OutputForm::kJson ? json : table.text();
}

}  // namespace

Outcome stats(const Session& session, const TargetOptions& options, StatsForm form) {
  CpuMarks marks;
  const bool for_eyes = ::isatty(STDOUT_FILENO) == 1 && session.settings.output == OutputForm::kTable;
  const bool follow = form == StatsForm::kFollow || (form == StatsForm::kByOutput && for_eyes);
  const bool redraw = follow && for_eyes;
  // The share of a processor is what lies between two samples.
  if (!follow && session.settings.output == OutputForm::kTable) {
    TRY(sample(session, options, marks));
    ::poll(nullptr, 0, kPeriodMs);
  }
  do {
    const auto text = TRY(sample(session, options, marks));
    TRY(print(redraw ? cat("\033[H\033[2J", text) : text));
    if (follow) ::poll(nullptr, 0, kPeriodMs);
  } while (follow);
  return kExitSuccess;
}

}  // namespace skerry::cli
