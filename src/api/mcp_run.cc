#include "api/mcp_run.h"

#include <sys/random.h>

#include <algorithm>

#include "api/documents.h"
#include "api/mcp_call.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"
#include "wire/run_request.h"

namespace skerry::api {
namespace {

constexpr std::uint32_t kFileTimeoutMs = 30'000;
constexpr Duration kOperationPatience = std::chrono::milliseconds(100);
constexpr std::uint64_t kSteps = 4;
constexpr std::int32_t kKilled = 128 + 9;  // as a shell tells SIGKILL
constexpr std::string_view kKilledReason = "killed by signal 9 (SIGKILL)";

Request request_to(const Request& from, std::string_view method, std::string path, std::string body = {}) {
  Request request;
  request.id = from.id;
  request.caller = from.caller;
  request.method = method;
  request.path = std::move(path);
  request.body = std::move(body);
  return request;
}

Result<std::string> random_name() {
  std::string bytes(6, '\0');
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return fail_errno("getrandom");
  return cat("run-", to_hex(bytes));
}

// Deletes the environment when it goes.
class Disposable {
 public:
  Disposable(Context& context, const Request& from, std::string name)
      : context_(context), from_(from), name_(std::move(name)) {}
  Disposable(const Disposable&) = delete;
  Disposable& operator=(const Disposable&) = delete;
  ~Disposable() {
    if (name_.empty()) return;
    auto request = request_to(from_, "DELETE", cat("/api/v1/environments/", name_));
    request.query = {{"force", "true"}, {"grace_ms", "0"}};
    const auto deleted =
        call_route(context_, std::move(request), ToolProgress::none());  // nobody cancels the cleaning up
    if (deleted || deleted.error().code == ErrorCode::kNotFound) return;
    log::warning("a run's environment could not be deleted", {{"name", name_}, {"error", deleted.error().message()}});
  }
  void forget() { name_.clear(); }

 private:
  Context& context_;
  const Request& from_;
  std::string name_;
};

// One run, step by step.
class Run {
 public:
  Run(Context& context, const Request& from, const wire::RunRequest& wanted, const ToolProgress& progress)
      : context_(context), from_(from), wanted_(wanted), progress_(progress) {}

  Result<ToolAnswer> go() {
    const std::string name = TRY(random_name());
    step("creating the environment", 0);
    Disposable environment(context_, from_, name);
    auto created = call_route(
        context_, request_to(from_, "POST", "/api/v1/environments", wire::run_environment_json(wanted_, name)),
        progress_);
    if (!created) {
      // One that failed has left nothing; one that was given up half-way may yet come to be.
      if (created.error().code != ErrorCode::kCancelled) environment.forget();
      return fail(std::move(created).error());
    }
    step("writing files", 1);
    for (const auto& file : wanted_.files) TRY(write_file(name, file));
    step("running", 2);
    wire::RunOutput output = TRY(run_in(name));
    step("reading files", 3);
    for (const auto& path : wanted_.outputs) output.files.push_back(TRY(read_file(name, path)));
    step("removing the environment", kSteps);
    return ToolAnswer{wire::run_output_json(output), {}};
  }

 private:
  void step(std::string_view what, std::uint64_t done) const { progress_.report(what, done, kSteps); }

  Result<ExecOutcome> exec(const std::string& name, const wire::ExecRequest& request) const {
    return call_exec(context_, from_, name, request, progress_);
  }

  Status write_file(const std::string& name, const wire::RunFile& file) const {
    wire::ExecRequest request;
    request.command = {"sh", "-c", R"(mkdir -p -- "${1%/*}/" && cat > "$1")", "sh", file.path};
    request.stdin_text = file.content;
    request.user = wanted_.user;
    request.timeout_ms = kFileTimeoutMs;
    const auto outcome = TRY_IN(cat("write ", file.path), exec(name, request));
    if (outcome.exit_code == 0U) return {};
    return fail(ErrorCode::kIo, cat("write ", file.path, ": ", outcome.exit_code ? trim(outcome.err) : "too slow"));
  }

  Result<wire::RunOutput> run_in(const std::string& name) const {
    wire::ExecRequest request;
    request.command = wanted_.command;
    request.stdin_text = wanted_.stdin_text;
    request.workdir = wanted_.workdir;
    request.user = wanted_.user;
    request.timeout_ms = wanted_.timeout_ms;
    auto outcome = TRY(exec(name, request));
    wire::RunOutput output;
    output.environment = name;
    if (outcome.exit_code) output.exit_code = static_cast<std::int32_t>(*outcome.exit_code);
    output.out = std::move(outcome.out);
    output.err = std::move(outcome.err);
    output.truncated = outcome.truncated;
    if (output.exit_code == kKilled) explain_kill(name, output);
    return output;
  }

  // Nobody tells an exec why its process was killed. The kernel's counter does: of the container's cgroup (either
  // version), or of the guest. The environment is new, so that what it counts was ours. Where it cannot be read (no
  // `cat` in the image, nothing mounted), a memory that was used to its limit tells.
  void explain_kill(const std::string& name, wire::RunOutput& output) const {
    wire::ExecRequest request;
    request.command = {"cat", "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"};
    if (wanted_.isolation != "container") request.command.emplace_back("/proc/vmstat");
    request.timeout_ms = kFileTimeoutMs;
    const auto counters = exec(name, request);
    const auto kills = counters ? oom_kills_in(counters->out) : std::nullopt;
    output.oom_killed = kills ? *kills > 0 : used_all_memory(name);
    output.reason = output.oom_killed ? "killed: out of memory; give it more with memory_mb" : kKilledReason;
  }

  bool used_all_memory(const std::string& name) const {
    const auto answer =
        call_route(context_, request_to(from_, "GET", cat("/api/v1/environments/", name, "/stats")), progress_);
    const auto stats = answer ? wire::JsonNode::parse(answer->body) : fail(Error(answer.error()));
    if (!stats) return false;
    const auto limit = stats->integer("memory_limit_bytes");
    return limit > 0 && stats->integer("memory_peak_bytes") >= limit;
  }

  Result<wire::RunOutput::File> read_file(const std::string& name, const std::string& path) const {
    wire::ExecRequest request;
    request.command = {"cat", "--", path};
    request.timeout_ms = kFileTimeoutMs;
    auto outcome = TRY_IN(cat("read ", path), exec(name, request));
    wire::RunOutput::File file{path, std::move(outcome.out), outcome.truncated, {}};
    if (outcome.exit_code != 0U) file.error = outcome.exit_code ? std::string(trim(outcome.err)) : "too slow";
    return file;
  }

  Context& context_;
  const Request& from_;
  const wire::RunRequest& wanted_;
  const ToolProgress& progress_;
};

}  // namespace

std::optional<std::uint64_t> oom_kills_in(std::string_view counters) {
  constexpr std::string_view kName = "oom_kill ";
  std::optional<std::uint64_t> most;
  for (const auto line : split(counters, '\n')) {
    if (!line.starts_with(kName)) continue;
    const auto count = parse_int<std::uint64_t>(trim(line.substr(kName.size())), kName);
    if (count) most = std::max(most.value_or(0), *count);
  }
  return most;
}

Result<ToolAnswer> run_command_tool(Context& context, const Request& from, const std::string& arguments,
                                    const ToolProgress& progress) {
  const auto wanted = TRY(wire::parse_run_command(arguments));
  return Run(context, from, wanted, progress).go();
}

Result<ToolAnswer> run_code_tool(Context& context, const Request& from, const std::string& arguments,
                                 const ToolProgress& progress) {
  const auto wanted = TRY(wire::parse_run_code(arguments));
  return Run(context, from, wanted, progress).go();
}

Result<ToolAnswer> exec_tool(Context& context, const Request& from, const std::string& arguments,
                             const ToolProgress& progress) {
  const auto node = TRY(wire::JsonNode::parse(arguments));
  const auto request = TRY(request_of(*find_tool("exec_in_environment"), node, from));
  const auto exec = TRY(wire::parse_exec_request(request.body));
  const auto outcome = TRY(call_exec(context, from, node.text("name"), exec, progress));
  wire::RunOutput output;
  output.environment = node.text("name");
  if (outcome.exit_code) output.exit_code = static_cast<std::int32_t>(*outcome.exit_code);
  output.out = outcome.out;
  output.err = outcome.err;
  output.truncated = outcome.truncated;
  // Others run in there too: what was killed for want of memory need not have been this.
  if (output.exit_code == kKilled) output.reason = kKilledReason;
  return ToolAnswer{wire::run_output_json(output), {}};
}

Result<ToolAnswer> pull_image_tool(Context& context, const Request& from, const std::string& arguments,
                                   const ToolProgress& progress) {
  const auto node = TRY(wire::JsonNode::parse(arguments));
  auto request = TRY(request_of(*find_tool("pull_image"), node, from));
  const auto started = TRY(call_route(context, std::move(request), progress));
  const auto id = TRY(wire::JsonNode::parse(started.body)).text("id");
  auto& operations = context.ports.operations;
  std::uint64_t seen = 0;
  while (true) {
    const auto operation = TRY(operations.wait(id, seen, kOperationPatience));
    if (operation.state == OperationState::kSucceeded) return ToolAnswer{operation_json(operation), {}};
    if (operation.state != OperationState::kRunning) return fail(operation.error);
    if (operation.version > seen) progress.report(operation.stage, operation.done, operation.total);
    seen = operation.version;
    if (!progress.cancelled()) continue;
    TRY(operations.cancel(id));
    return fail(ErrorCode::kCancelled, "the client gave up");
  }
}

}  // namespace skerry::api
