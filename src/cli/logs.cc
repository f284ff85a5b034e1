// skerry logs: the workload's output, each stream to ours.
#include <unistd.h>

#include "base/sys_file.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/quantities.h"
#include "cli/verbs.h"
#include "wire/json_node.h"

namespace skerry::cli {
namespace {

// Puts lines together from the pieces of a stream and gives each whole one to `take`.
class Lines {
 public:
  template <typename Take>
  Status feed(std::string_view bytes, Take take) {
    pending_ += bytes;
    std::size_t begin = 0;
    for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n', begin)) {
      TRY(take(std::string_view(pending_).substr(begin, end - begin)));
      begin = end + 1;
    }
    pending_.erase(0, begin);
    return {};
  }

 private:
  std::string pending_;
};

Status print_record(std::string_view line, const LogOptions& options, OutputForm form) {
  if (form == OutputForm::kJson) return print(cat(line, "\n"));
  const auto record = TRY(wire::JsonNode::parse(line));
  std::string text = record.text("text");
  if (!record.at("partial").flag()) text += '\n';
  if (options.timestamps) text.insert(0, record.text("time") + " ");
  return sys::write_all(record.text("stream") == "stderr" ? STDERR_FILENO : STDOUT_FILENO, text);
}

}  // namespace

Outcome logs(const Session& session, const LogOptions& options) {
  std::string target = cat(path_of(options.scope), "/", escape(options.name), "/logs?format=ndjson");
  if (options.follow) target += "&follow=1";
  if (options.tail) target += cat("&tail=", *options.tail);
  if (options.since) {
    target += cat("&since=", escape(TRY_IN("--since", parse_since(*options.since, SystemClock().now()))));
  }
  Lines lines;
  Status written;
  const auto streamed = session.http.stream(target, "application/x-ndjson", [&](std::string_view bytes) {
    written =
        lines.feed(bytes, [&](std::string_view line) { return print_record(line, options, session.settings.output); });
    return written.has_value();
  });
  TRY(written);
  TRY(streamed);
  return kExitSuccess;
}

}  // namespace skerry::cli
