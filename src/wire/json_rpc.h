// JSON-RPC 2.0 (jsonrpc.org/specification), one message at a time, as the Model Context Protocol uses it: identifiers
// are texts or whole numbers, parameters are objects, there are no batches.
//
// Reading is bounded (kMaxRpcMessage bytes, the nesting of check_json_bounds) and answers what is wrong with the fault
// that the peer is to get, with its identifier when one could be read.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "wire/json_node.h"

namespace skerry::wire {

inline constexpr std::size_t kMaxRpcMessage = 4U << 20U;

enum class RpcCode : int {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
  kInternalError = -32603,
  // The Model Context Protocol's own.
  kHeaderMismatch = -32020,
  kUnsupportedVersion = -32022,
};

struct RpcFault {
  RpcCode code = RpcCode::kInternalError;
  std::string message;
  std::string id;    // as JSON; empty: of no request that could be read
  std::string data;  // as JSON; empty: none
};

struct RpcMessage {
  enum class Kind : std::uint8_t { kRequest, kNotification, kResponse };
  Kind kind = Kind::kRequest;
  std::string id;  // as JSON: 7 or "seven"; empty for notifications
  std::string method;
  JsonNode params;  // an object, or null
};
std::expected<RpcMessage, RpcFault> parse_rpc(std::string_view text);

// Whole messages, one line each. `id`, `result` and `params` are JSON.
std::string rpc_result(std::string_view id, std::string_view result);
std::string rpc_fault(const RpcFault& fault);
std::string rpc_notification(std::string_view method, std::string_view params);

}  // namespace skerry::wire
