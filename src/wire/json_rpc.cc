#include "wire/json_rpc.h"

#include <algorithm>

#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::wire {
namespace {

constexpr std::size_t kMaxMethod = 128;
constexpr std::size_t kMaxId = 1024;

std::unexpected<RpcFault> invalid(std::string message, std::string id = {}) {
  return std::unexpected(RpcFault{RpcCode::kInvalidRequest, std::move(message), std::move(id), {}});
}

bool is_id(const JsonNode& node) { return node.is_integer() || (node.is_string() && node.text().size() <= kMaxId); }

// Also when its value is null.
bool has_member(const JsonNode& object, std::string_view name) {
  const auto members = object.members();
  return std::ranges::any_of(members, [&](const auto& member) { return member.first == name; });
}

// JSON has line ends only between its tokens.
std::string one_line(std::string_view json) {
  std::string out(json);
  std::ranges::replace_if(out, [](char letter) { return letter == '\n' || letter == '\r'; }, ' ');
  return out;
}

}  // namespace

std::expected<RpcMessage, RpcFault> parse_rpc(std::string_view text) {
  const auto parsed = JsonNode::parse(text, "message", kMaxRpcMessage);
  if (!parsed) return std::unexpected(RpcFault{RpcCode::kParseError, parsed.error().message(), {}, {}});
  const JsonNode& root = *parsed;
  if (root.is_array()) return invalid("batches are not supported: send one message at a time");
  if (!root.is_object()) return invalid("a message is an object");

  RpcMessage message;
  const auto id = root.member("id");
  const bool has_id = has_member(root, "id");
  // Section 5: the answer to what could not be read has the identifier null; nothing else has.
  const bool of_nothing = id.is_null() && root.member("error").is_object() && root.member("method").is_null();
  if (has_id && !of_nothing && !is_id(id)) return invalid("id: must be a text or a whole number");
  if (has_id && !of_nothing) message.id = id.dump();
  if (const auto version = root.member("jsonrpc"); !version.is_string() || version.text() != "2.0") {
    return invalid("jsonrpc: must be \"2.0\"", message.id);
  }

  const auto method = root.member("method");
  if (method.is_null()) {
    const bool answer = has_member(root, "result") || root.member("error").is_object();
    if (!answer) return invalid("method: is missing", message.id);
    message.kind = RpcMessage::Kind::kResponse;
    return message;
  }
  message.method = method.text();
  if (!method.is_string() || message.method.empty() || message.method.size() > kMaxMethod) {
    return invalid(cat("method: must be a text of 1 to ", kMaxMethod, " bytes"), message.id);
  }
  message.params = root.member("params");
  if (!message.params.is_null() && !message.params.is_object()) {
    return invalid("params: must be an object", message.id);
  }
  message.kind = has_id ? RpcMessage::Kind::kRequest : RpcMessage::Kind::kNotification;
  return message;
}

std::string rpc_result(std::string_view id, std::string_view result) {
  JsonWriter json;
  json.begin_object().field("jsonrpc", "2.0").key("id").raw(id).key("result").raw(one_line(result)).end_object();
  return std::move(json).text();
}

std::string rpc_fault(const RpcFault& fault) {
  JsonWriter json;
  json.begin_object().field("jsonrpc", "2.0");
  // JSON-RPC 2.0 section 5: null when there was none to be read.
  json.key("id").raw(fault.id.empty() ? "null" : fault.id);
  json.key("error").begin_object().field("code", static_cast<int>(fault.code)).field("message", fault.message);
  if (!fault.data.empty()) json.key("data").raw(fault.data);
  json.end_object().end_object();
  return std::move(json).text();
}

std::string rpc_notification(std::string_view method, std::string_view params) {
  JsonWriter json;
  json.begin_object().field("jsonrpc", "2.0").field("method", method).key("params").raw(one_line(params)).end_object();
  return std::move(json).text();
}

}  // namespace skerry::wire
