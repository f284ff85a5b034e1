// GET /environments/{name}/logs: the workload's output so far, and with follow=1 what comes, over rotations, until the
// run is over.
#include <optional>

#include "api/find.h"
#include "api/handlers.h"
#include "base/directory_watch.h"
#include "base/log_reader.h"
#include "base/text.h"
#include "core/plan.h"
#include "core/state_machine.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

constexpr std::uint64_t kMaxTail = 1'000'000;
// How soon the end of a run is noticed when nothing is written any more.
constexpr Duration kLookAgain = std::chrono::milliseconds(250);

enum class Form : std::uint8_t {
  kText,    // the bytes as the workload wrote them, both streams together
  kNdjson,  // {"time","stream","text","partial"} a line
};

std::string in_form(Form form, const std::vector<LogRecord>& records) {
  std::string out;
  for (const auto& record : records) {
    const bool partial = record.tag == LogTag::kPartial;
    if (form == Form::kText) {
      out += record.text;
      if (!partial) out += '\n';
      continue;
    }
    wire::JsonWriter json;
    json.begin_object()
        .field("time", to_rfc3339(record.time))
        .field("stream", record.stream == LogStream::kStdout ? "stdout" : "stderr")
        .field("text", record.text)
        .field("partial", partial)
        .end_object();
    out += std::move(json).text();
    out += '\n';
  }
  return out;
}

class LogSource final : public BodySource {
 public:
  LogSource(Controller& controller, const Environment& environment, LogReader reader,
            std::optional<DirectoryWatch> watch, Form form)
      : controller_(controller),
        name_(environment.spec.name),
        id_(environment.id),
        reader_(std::move(reader)),
        watch_(std::move(watch)),
        form_(form) {}

  Result<std::optional<std::string>> next() override {
    // In this order: what was written before the end is still read after the end was seen.
    const bool over = !watch_ || is_over();
    if (watch_) TRY(watch_->clear());
    const auto records = TRY(reader_.read());
    if (records.empty()) return over ? std::nullopt : std::optional<std::string>("");
    return in_form(form_, records);
  }
  [[nodiscard]] int wake_fd() const override { return watch_ ? watch_->fd() : -1; }
  [[nodiscard]] Duration patience() const override { return kLookAgain; }

 private:
  bool is_over() {
    const auto environment = controller_.find(name_);
    if (!environment || environment->id != id_) return true;
    // While it is being deleted it may still be stopping; between two runs of a restart policy more is to come.
    const bool goes_on = environment->status.state == State::kDeleting || restart_due(*environment);
    return !goes_on && !is_alive(environment->status.state);
  }

  Controller& controller_;
  std::string name_;
  std::string id_;  // the name may belong to another one later
  LogReader reader_;
  std::optional<DirectoryWatch> watch_;  // set: follows
  Form form_;
};

Result<Form> form_of(const Request& request) {
  const auto form = request.option("format").value_or("text");
  if (form == "text") return Form::kText;
  if (form == "ndjson") return Form::kNdjson;
  return fail(ErrorCode::kInvalidArgument, "query format: must be text or ndjson");
}

Result<LogStart> start_of(const Request& request) {
  LogStart start;
  if (request.option("tail")) start.tail = TRY(request.number("tail", 0, kMaxTail));
  if (const auto since = request.option("since"); since) {
    start.since = TRY_IN("query since", parse_rfc3339(*since));
  }
  return start;
}

}  // namespace

Result<Response> environment_logs(Context& context, const Request& request) {
  const auto environment = TRY(find_environment(context, request));
  const Form form = TRY(form_of(request));
  const bool follow = TRY(request.flag("follow"));
  const std::string path = TRY(context.ports.controller.log_path(environment.spec.name));
  std::optional<DirectoryWatch> watch;
  if (follow) {
    // No directory: it has never been started, and there is nothing to follow.
    auto made = DirectoryWatch::create(path.substr(0, path.rfind('/')));
    if (!made && made.error().code != ErrorCode::kNotFound) return fail(std::move(made).error());
    if (made) watch = std::move(*made);
  }
  const auto start = TRY(start_of(request));
  auto reader = TRY(LogReader::open(path, start));
  Response response;
  response.content_type = form == Form::kText ? "text/plain; charset=utf-8" : "application/x-ndjson";
  response.source =
      std::make_unique<LogSource>(context.ports.controller, environment, std::move(reader), std::move(watch), form);
  return response;
}

}  // namespace skerry::api
