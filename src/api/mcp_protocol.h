// Which revision of the Model Context Protocol a message speaks, and whether it keeps to it: pure decisions, no
// machinery (modelcontextprotocol.io/specification, "Versioning" and "Transports" of each revision).
//
//   stateless   2026-07-28: every request carries its version and the client's capabilities in _meta; the headers
//               MCP-Protocol-Version, Mcp-Method and Mcp-Name repeat the body and must agree with it
//   handshake   2025-11-25 and older: `initialize` first; the version then stands in MCP-Protocol-Version
//
// One endpoint serves both. What decides is the message alone: a request with stateless _meta (or a header that names
// no handshake revision) is stateless, everything else is not.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "wire/json_rpc.h"

namespace skerry::api {

enum class McpEra : std::uint8_t { kHandshake, kStateless };

inline constexpr std::string_view kMcpStateless = "2026-07-28";
inline constexpr std::string_view kMcpNewestHandshake = "2025-11-25";
bool is_handshake_version(std::string_view version);

// Set when the header was sent.
struct McpHeaders {
  std::optional<std::string> version;  // MCP-Protocol-Version
  std::optional<std::string> method;   // Mcp-Method
  std::optional<std::string> name;     // Mcp-Name
};

struct McpRefusal {
  int status = 400;
  wire::RpcFault fault;
};

// Whether a request may go to its method; its era.
std::expected<McpEra, McpRefusal> admit_mcp(const wire::RpcMessage& request, const McpHeaders& headers);
// The same for a notification: only its header counts.
std::expected<void, McpRefusal> admit_mcp_notification(const wire::RpcMessage& message, const McpHeaders& headers);

// The token under which the client wants to hear of progress, as JSON; empty: it does not.
std::string progress_token(const wire::RpcMessage& request);

}  // namespace skerry::api
