#include "api/mcp.h"

#include <sys/random.h>

#include "api/mcp_call.h"
#include "api/mcp_protocol.h"
#include "api/mcp_stream.h"
#include "api/mcp_tools.h"
#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

using wire::JsonWriter;
using wire::RpcCode;
using wire::RpcFault;
using wire::RpcMessage;

constexpr std::size_t kToolsPage = 100;
constexpr std::uint64_t kToolsFreshMs = 300'000;
constexpr std::uint64_t kServerFreshMs = 3'600'000;
constexpr std::string_view kInstructions =
    "Skerry runs containers and virtual machines on one Linux host. To try something out, use run_code or run_command: "
    "each call gets an environment of its own that is deleted afterwards, so nothing stays between calls. list_images "
    "tells what can be run. Use create_environment only for what has to keep running.";

Response fault_response(int status, const RpcFault& fault) { return json_response(wire::rpc_fault(fault), status); }

Response accepted() {
  Response response;
  response.status = 202;
  response.content_type.clear();
  return response;
}

std::optional<std::string> header(const Request& request, const std::string& name) {
  const auto found = request.mcp.find(name);
  if (found == request.mcp.end()) return std::nullopt;
  return found->second;
}

McpHeaders headers_of(const Request& request) {
  return {header(request, "mcp-protocol-version"), header(request, "mcp-method"), header(request, "mcp-name")};
}

// Sessions belong to who began them. Empty: the client named none.
std::string session_of(const Request& request) {
  const auto id = header(request, "mcp-session-id");
  return id ? cat(request.caller.name, '\n', *id) : std::string();
}

void write_server(JsonWriter& json) {
  json.begin_object().field("name", "skerry").field("title", "Skerry").field("version", SKERRY_VERSION).end_object();
}

void write_capabilities(JsonWriter& json) { json.begin_object().key("tools").begin_object().end_object().end_object(); }

Result<std::string> initialize_result(const RpcMessage& message) {
  const auto version = message.params.member("protocolVersion");
  if (!version.is_string()) return fail(ErrorCode::kInvalidArgument, "params.protocolVersion: is missing");
  JsonWriter json;
  json.begin_object();
  json.field("protocolVersion",
             is_handshake_version(version.text()) ? version.text() : std::string(kMcpNewestHandshake));
  json.key("capabilities");
  write_capabilities(json);
  json.key("serverInfo");
  write_server(json);
  json.field("instructions", kInstructions).end_object();
  return std::move(json).text();
}

// The members that every result of the revision has; the object stays open.
void open_result(JsonWriter& json, McpEra era) {
  json.begin_object();
  if (era == McpEra::kHandshake) return;
  json.field("resultType", "complete").key("_meta").begin_object().key("io.modelcontextprotocol/serverInfo");
  write_server(json);
  json.end_object();
}

void write_freshness(JsonWriter& json, McpEra era, std::uint64_t fresh_ms, std::string_view scope) {
  if (era == McpEra::kStateless) json.field("ttlMs", fresh_ms).field("cacheScope", scope);
}

std::string discover_result() {
  JsonWriter json;
  open_result(json, McpEra::kStateless);
  json.key("supportedVersions").begin_array().value(kMcpStateless).end_array().key("capabilities");
  write_capabilities(json);
  json.field("instructions", kInstructions);
  write_freshness(json, McpEra::kStateless, kServerFreshMs, "public");
  json.end_object();
  return std::move(json).text();
}

Result<std::string> list_result(const Caller& caller, const RpcMessage& message, McpEra era) {
  const auto given = message.params.member("cursor");
  if (!given.is_null() && !given.is_string()) return fail(ErrorCode::kInvalidArgument, "params.cursor: must be a text");
  std::optional<std::string> cursor;
  if (given.is_string()) cursor = given.text();
  const auto page = tools_page(caller, cursor, kToolsPage);
  if (!page) return fail(ErrorCode::kInvalidArgument, "params.cursor: is not known");
  JsonWriter json;
  open_result(json, era);
  json.key("tools").raw(page->tools);
  if (page->next) json.field("nextCursor", *page->next);
  write_freshness(json, era, kToolsFreshMs, "private");
  json.end_object();
  return std::move(json).text();
}

std::string call_result(const Result<ToolAnswer>& answer, McpEra era) {
  JsonWriter json;
  open_result(json, era);
  const std::string text = !answer                ? said_with_tools(answer.error()).message()
                           : answer->text.empty() ? answer->json
                                                  : answer->text;
  json.key("content").begin_array().begin_object().field("type", "text").field("text", text).end_object().end_array();
  if (answer) json.key("structuredContent").raw(answer->json);
  json.field("isError", !answer.has_value()).end_object();
  return std::move(json).text();
}

// A request on its way to its answer.
class McpCall {
 public:
  McpCall(Context& context, Request request, RpcMessage message, McpEra era)
      : context_(context), request_(std::move(request)), message_(std::move(message)), era_(era) {}

  Result<Response> answer() {
    const auto& method = message_.method;
    const bool stateless = era_ == McpEra::kStateless;
    if (method == "tools/list") return result(list_result(request_.caller, message_, era_));
    if (method == "tools/call") return call_tool();
    if (stateless && method == "server/discover") return result(discover_result());
    if (stateless && method == "subscriptions/listen") return listen();
    if (!stateless && method == "initialize") return initialize();
    if (!stateless && method == "ping") return result(std::string("{}"));
    return fault_response(stateless ? 404 : 200,
                          {RpcCode::kMethodNotFound, cat("method \"", method, "\" is not known"), message_.id, {}});
  }

 private:
  Response result(Result<std::string> json) const {
    if (json) return json_response(wire::rpc_result(message_.id, *json));
    return invalid(json.error().message());
  }
  Response invalid(std::string what) const {
    return fault_response(era_ == McpEra::kStateless ? 400 : 200,
                          {RpcCode::kInvalidParams, std::move(what), message_.id, {}});
  }

  Result<Response> initialize() const {
    Response response = result(initialize_result(message_));
    if (response.body.find("\"result\"") == std::string::npos) return response;
    std::string bytes(16, '\0');
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      return fail_errno("getrandom");
    response.headers.emplace_back("Mcp-Session-Id", to_hex(bytes));
    return response;
  }

  Result<Response> listen() const {
    if (!accepts_stream()) return invalid("subscriptions/listen needs the header Accept: text/event-stream");
    return stream_response(make_listen_stream(message_.id));
  }

  [[nodiscard]] bool accepts_stream() const { return request_.accept.find("text/event-stream") != std::string::npos; }

  Result<Response> call_tool() {
    const auto name = message_.params.member("name");
    const Tool* tool = name.is_string() ? find_tool(name.text()) : nullptr;
    if (tool == nullptr) return invalid(cat("params.name: there is no tool \"", name.text().substr(0, 128), "\""));
    auto arguments = message_.params.member("arguments");
    if (arguments.is_null()) arguments = wire::JsonNode::parse("{}").value_or(arguments);
    if (!arguments.is_object()) return invalid("params.arguments: must be an object");
    if (tool->run == nullptr && tool->method == "GET") {
      return result(call_result(perform(context_, *tool, arguments, request_, ToolProgress::none()), era_));
    }
    return start(*tool, arguments);
  }

  static Result<ToolAnswer> perform(Context& context, const Tool& tool, const wire::JsonNode& arguments,
                                    const Request& from, const ToolProgress& progress) {
    if (tool.run != nullptr) return tool.run(context, from, arguments.dump(), progress);
    return answer_of(TRY(call_route(context, TRY(request_of(tool, arguments, from)), progress)));
  }

  // The work goes on by itself; the answer follows it.
  Result<Response> start(const Tool& tool, const wire::JsonNode& arguments) {
    auto watch = TRY(CallWatch::create(progress_token(message_), context_.ports.clock));
    const auto session = session_of(request_);
    auto work = [context = &context_, &tool, arguments, from = request_, watch, id = message_.id, era = era_,
                 session](OperationProgress& progress) -> Result<std::map<std::string, std::string>> {
      const auto answer = perform(*context, tool, arguments, from, watch->progress(progress));
      const bool given_up = progress.cancelled();
      // Who cancelled wants no answer any more.
      watch->finish(given_up ? std::string() : wire::rpc_result(id, call_result(answer, era)));
      if (!session.empty()) context->mcp.forget(session, id);
      return std::map<std::string, std::string>{};
    };
    const auto operation = context_.mcp.start(std::string(tool.name), std::move(work));
    if (!operation) return result(call_result(fail(operation.error()), era_));
    if (!session.empty()) {
      context_.mcp.remember(session, message_.id, *operation);
      if (watch->finished()) context_.mcp.forget(session, message_.id);
    }
    if (!accepts_stream()) return later_response(watch);
    // Handshake revisions: a broken connection is no wish to cancel.
    std::function<void()> hang_up;
    if (era_ == McpEra::kStateless) hang_up = [mcp = &context_.mcp, id = *operation] { mcp->cancel(id); };
    return stream_response(make_call_stream(watch, std::move(hang_up)));
  }

  Context& context_;
  Request request_;
  RpcMessage message_;
  McpEra era_;
};

Result<Response> take_notification(Context& context, const Request& request, const RpcMessage& message) {
  if (auto admitted = admit_mcp_notification(message, headers_of(request)); !admitted) {
    return fault_response(admitted.error().status, admitted.error().fault);
  }
  const auto session = session_of(request);
  if (message.method == "notifications/cancelled" && !session.empty()) {
    context.mcp.cancel_request(session, message.params.member("requestId").dump());
  }
  return accepted();
}

Result<Response> answer_message(Context& context, const Request& request) {
  auto message = wire::parse_rpc(request.body);
  if (!message) return fault_response(400, message.error());
  if (const auto session = session_of(request); !session.empty() && context.mcp.has_ended(session)) {
    return fault_response(404, {RpcCode::kInvalidRequest, "the session has ended: initialize again", message->id, {}});
  }
  if (message->kind == RpcMessage::Kind::kResponse) return accepted();  // we ask clients nothing
  if (message->kind == RpcMessage::Kind::kNotification) return take_notification(context, request, *message);
  const auto era = admit_mcp(*message, headers_of(request));
  if (!era) return fault_response(era.error().status, era.error().fault);
  return McpCall(context, request, std::move(*message), *era).answer();
}

}  // namespace

// NOLINTNEXTLINE(performance-unnecessary-value-param): a Handler
void serve_mcp(Context& context, Request request, Reply reply) { reply(answer_message(context, request)); }

Result<Response> end_mcp_session(Context& context, const Request& request) {
  const auto session = session_of(request);
  if (session.empty()) return fail(ErrorCode::kInvalidArgument, "the header Mcp-Session-Id is missing");
  context.mcp.end_session(session);
  return no_content();
}

}  // namespace skerry::api
