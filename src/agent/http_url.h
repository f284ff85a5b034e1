// The little HTTP the agent speaks: where the workload serves, whether a probe's answer is good, and the one change a
// proxied request needs. Pure. Source: RFC 9112.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry::agent {

struct HttpUrl {
  std::string host = "127.0.0.1";  // dotted quad; "localhost" becomes 127.0.0.1
  std::uint16_t port = 80;
  std::string path = "/";
};
// "http://host[:port][/path]". kInvalidArgument for anything else: the agent resolves no names and speaks no TLS.
Result<HttpUrl> parse_http_url(std::string_view text);
// `endpoint` is a path below `base`, or a whole URL.
Result<HttpUrl> resolve_endpoint(const std::string& base_url, std::string_view endpoint);

std::string probe_request(const HttpUrl& url);
// The status code of an answer's first line; nullopt while it is not whole, 0 when it is not HTTP.
std::optional<int> response_status(std::string_view bytes);

// The head of a request for a server whose path has `prefix` ("/app"): the target gets the prefix, and the connection
// ends after this exchange, because later requests on it would need the same. nullopt while the first line is not
// whole; what is no request line is passed on as it is.
std::optional<std::string> rewrite_request(std::string_view bytes, std::string_view prefix);

}  // namespace skerry::agent
