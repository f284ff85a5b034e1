#include "api/mcp_call.h"

#include <condition_variable>
#include <memory>
#include <mutex>

#include "api/audit.h"
#include "api/authorise.h"
#include "api/route.h"
#include "base/text.h"
#include "wire/problem.h"

namespace skerry::api {
namespace {

constexpr auto kLookAgain = std::chrono::milliseconds(50);
constexpr std::size_t kMaxStream = 1U << 20U;

// An answer on its way from any thread. The first one counts; a handler that drops its Reply has answered too.
class Mailbox {
 public:
  void put(Result<Response> answer) {
    {
      const std::lock_guard lock(mutex_);
      if (answer_) return;
      answer_ = std::move(answer);
    }
    changed_.notify_all();
  }
  Result<Response> take(const std::function<bool()>& cancelled) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, kLookAgain, [this] { return answer_.has_value(); })) {
      if (cancelled()) return fail(ErrorCode::kCancelled, "the client gave up");
    }
    return std::move(*answer_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Result<Response>> answer_;
};

// Answers when the last copy of a Reply goes.
struct LastWord {
  explicit LastWord(std::shared_ptr<Mailbox> into) : mailbox(std::move(into)) {}
  LastWord(const LastWord&) = delete;
  LastWord& operator=(const LastWord&) = delete;
  ~LastWord() { mailbox->put(fail(ErrorCode::kInternal, "the request was not answered", "see the daemon's log")); }
  std::shared_ptr<Mailbox> mailbox;
};

Reply reply_into(const std::shared_ptr<Mailbox>& mailbox) {
  return
      [word = std::make_shared<LastWord>(mailbox)](Result<Response> answer) { word->mailbox->put(std::move(answer)); };
}

Result<Response> wait_for(const Later& later, const std::function<bool()>& cancelled) {
  while (true) {
    if (auto answer = TRY(later.look()); answer) return std::move(*answer);
    if (cancelled()) return fail(ErrorCode::kCancelled, "the client gave up");
    std::mutex mutex;
    std::condition_variable nobody;
    std::unique_lock lock(mutex);
    nobody.wait_for(lock, later.every);
  }
}

Status drain(Response& response) {
  while (response.body.size() < kMaxStream) {
    auto piece = TRY(response.source->next());
    if (!piece || piece->empty()) break;  // followed streams have no end: what is there now
    response.body += *piece;
  }
  if (response.body.size() > kMaxStream) response.body.resize(kMaxStream);
  response.source.reset();
  return {};
}

void audit(const Context& context, const Request& request, int status) {
  if (request.method == "GET") return;
  context.audit.record(
      {cat(request.method, " ", request.path), cat(request.caller.name, " by MCP"), request.id, status});
}

// The route of the request, when its caller may call it; fills its parameters.
Result<const Route*> authorise(Request& request) {
  auto match = find_route(request.method, request.path);
  if (!match) return fail(std::move(match).error());
  TRY(may_call(request.caller, *match->route));
  request.parameters = std::move(match->parameters);
  return match->route;
}

Result<Response> serve(Context& context, Request request, const ToolProgress& progress) {
  const Route* route = TRY(authorise(request));
  auto mailbox = std::make_shared<Mailbox>();
  route->handler(context, std::move(request), reply_into(mailbox));
  auto response = TRY(mailbox->take(progress.cancelled));
  if (response.later) response = TRY(wait_for(*response.later, progress.cancelled));
  if (response.source) TRY(drain(response));
  return response;
}

Result<ExecOutcome> serve_exec(Context& context, Request request, const wire::ExecRequest& exec,
                               const ToolProgress& progress) {
  TRY(authorise(request));
  return exec_to_end(context, request, exec, progress.cancelled);
}

}  // namespace

Result<Response> call_route(Context& context, Request request, const ToolProgress& progress) {
  const Request subject = request;
  auto answer = serve(context, std::move(request), progress);
  audit(context, subject, answer ? answer->status : wire::http_status(answer.error()));
  return answer;
}

Result<ExecOutcome> call_exec(Context& context, const Request& from, const std::string& environment,
                              const wire::ExecRequest& exec, const ToolProgress& progress) {
  Request request;
  request.id = from.id;
  request.caller = from.caller;
  request.method = "POST";
  request.path = cat("/api/v1/environments/", percent_encode(environment), "/exec");
  auto outcome = serve_exec(context, request, exec, progress);
  audit(context, request, outcome ? 200 : wire::http_status(outcome.error()));
  return outcome;
}

}  // namespace skerry::api
