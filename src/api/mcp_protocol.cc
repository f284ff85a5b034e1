#include "api/mcp_protocol.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "base/text.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

using wire::RpcCode;

constexpr std::array<std::string_view, 4> kHandshakeVersions{kMcpNewestHandshake, "2025-06-18", "2025-03-26",
                                                             "2024-11-05"};
constexpr std::string_view kVersionKey = "io.modelcontextprotocol/protocolVersion";
constexpr std::string_view kCapabilitiesKey = "io.modelcontextprotocol/clientCapabilities";

std::unexpected<McpRefusal> refuse(const wire::RpcMessage& request, RpcCode code, std::string message,
                                   std::string data = {}) {
  return std::unexpected(McpRefusal{400, {code, std::move(message), request.id, std::move(data)}});
}

std::unexpected<McpRefusal> refuse_version(std::string_view id, std::string_view requested) {
  wire::JsonWriter data;
  data.begin_object().key("supported").begin_array().value(kMcpStateless).end_array();
  data.field("requested", requested).end_object();
  return std::unexpected(McpRefusal{400,
                                    {RpcCode::kUnsupportedVersion,
                                     cat("protocol version \"", requested, "\" is not supported: use ", kMcpStateless,
                                         ", or initialize with ", kMcpNewestHandshake, " or older"),
                                     std::string(id), std::move(data).text()}});
}

// "=?base64?…?=" stands for what cannot be written in a header.
Result<std::string> header_value(std::string_view value) {
  constexpr std::string_view kOpen = "=?base64?";
  constexpr std::string_view kClose = "?=";
  if (!value.starts_with(kOpen) || !value.ends_with(kClose) || value.size() < kOpen.size() + kClose.size()) {
    return std::string(value);
  }
  return base64_decode(value.substr(kOpen.size(), value.size() - kOpen.size() - kClose.size()));
}

// What the header Mcp-Name has to repeat; nullopt: the method has no such thing.
std::optional<std::string> named(const wire::RpcMessage& request) {
  const bool by_uri = request.method == "resources/read";
  if (!by_uri && request.method != "tools/call" && request.method != "prompts/get") return std::nullopt;
  const auto name = request.params.member(by_uri ? "uri" : "name");
  if (!name.is_string()) return std::nullopt;
  return name.text();
}

std::expected<void, McpRefusal> compare_headers(const wire::RpcMessage& request, const McpHeaders& headers) {
  const auto differs = [&](std::string_view header, std::string_view what) {
    return refuse(request, RpcCode::kHeaderMismatch, cat("header ", header, " ", what));
  };
  if (!headers.method) return differs("Mcp-Method", "is missing");
  if (*headers.method != request.method) {
    return differs("Mcp-Method", cat("does not agree with the method \"", request.method, "\""));
  }
  const auto name = named(request);
  if (!name) return {};
  if (!headers.name) return differs("Mcp-Name", "is missing");
  const auto value = header_value(*headers.name);
  if (!value) return differs("Mcp-Name", "is broken base64");
  if (*value != *name) return differs("Mcp-Name", cat("does not agree with the name \"", *name, "\""));
  return {};
}

// In revisions that do not ask for these headers: who sends them means what they say, and somebody between may have let
// the message pass by them.
std::expected<void, McpRefusal> compare_given(const wire::RpcMessage& request, const McpHeaders& headers) {
  const auto differs = [&](std::string_view header) {
    return refuse(request, RpcCode::kHeaderMismatch, cat("header ", header, " does not agree with the body"));
  };
  if (headers.method && *headers.method != request.method) return differs("Mcp-Method");
  if (!headers.name) return {};
  const auto value = header_value(*headers.name);
  if (!value || named(request) != *value) return differs("Mcp-Name");
  return {};
}

std::expected<McpEra, McpRefusal> admit_handshake(const wire::RpcMessage& request, const McpHeaders& headers) {
  if (auto agreed = compare_given(request, headers); !agreed) return std::unexpected(agreed.error());
  return McpEra::kHandshake;
}

std::expected<McpEra, McpRefusal> admit_stateless(const wire::RpcMessage& request, const McpHeaders& headers) {
  const auto meta = request.params.member("_meta");
  const auto version = meta.member(kVersionKey);
  if (!version.is_string()) {
    return refuse(request, RpcCode::kInvalidParams, cat("params._meta[\"", kVersionKey, "\"]: is missing"));
  }
  if (!meta.member(kCapabilitiesKey).is_object()) {
    return refuse(request, RpcCode::kInvalidParams, cat("params._meta[\"", kCapabilitiesKey, "\"]: must be an object"));
  }
  if (!headers.version || *headers.version != version.text()) {
    return refuse(request, RpcCode::kHeaderMismatch,
                  cat("header MCP-Protocol-Version ", headers.version ? "does not agree with" : "is missing beside",
                      " params._meta, which says \"", version.text(), "\""));
  }
  if (version.text() != kMcpStateless) return refuse_version(request.id, version.text());
  if (auto agreed = compare_headers(request, headers); !agreed) return std::unexpected(agreed.error());
  return McpEra::kStateless;
}

}  // namespace

bool is_handshake_version(std::string_view version) {
  return std::ranges::find(kHandshakeVersions, version) != kHandshakeVersions.end();
}

std::expected<McpEra, McpRefusal> admit_mcp(const wire::RpcMessage& request, const McpHeaders& headers) {
  const auto meta = request.params.member("_meta");
  const bool says_stateless = !meta.member(kVersionKey).is_null() || !meta.member(kCapabilitiesKey).is_null();
  if (says_stateless || request.method == "server/discover") return admit_stateless(request, headers);
  if (!headers.version || is_handshake_version(*headers.version)) return admit_handshake(request, headers);
  if (*headers.version == kMcpStateless) return admit_stateless(request, headers);
  return refuse_version(request.id, *headers.version);
}

std::expected<void, McpRefusal> admit_mcp_notification(const wire::RpcMessage& message, const McpHeaders& headers) {
  if (!headers.version || *headers.version == kMcpStateless || is_handshake_version(*headers.version)) {
    return compare_given(message, headers);
  }
  return refuse_version({}, *headers.version);
}

std::string progress_token(const wire::RpcMessage& request) {
  const auto token = request.params.member("_meta").member("progressToken");
  return token.is_string() || token.is_integer() ? token.dump() : std::string();
}

}  // namespace skerry::api
