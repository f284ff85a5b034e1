#include "agent/http_url.h"

#include <arpa/inet.h>

#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr std::string_view kScheme = "http://";
constexpr std::size_t kMaxFirstLine = 16U << 10U;

}  // namespace

Result<HttpUrl> parse_http_url(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, cat("\"", text.substr(0, 200), "\": ", why));
  };
  if (!text.starts_with(kScheme)) return wrong("must begin with http://");
  const auto rest = text.substr(kScheme.size());
  const auto slash = rest.find('/');
  const auto authority = rest.substr(0, slash);
  HttpUrl url;
  if (slash != std::string_view::npos) url.path = rest.substr(slash);
  if (url.path.find_first_of(" \r\n") != std::string::npos) return wrong("the path holds white space");
  const auto colon = authority.find(':');
  url.host = authority.substr(0, colon);
  if (url.host == "localhost") url.host = "127.0.0.1";
  in_addr address{};
  if (::inet_pton(AF_INET, url.host.c_str(), &address) != 1)
    return wrong("the host must be an IPv4 address or localhost");
  if (colon != std::string_view::npos) url.port = TRY(parse_int<std::uint16_t>(authority.substr(colon + 1), "port"));
  if (url.port == 0) return wrong("port 0");
  return url;
}

Result<HttpUrl> resolve_endpoint(const std::string& base_url, std::string_view endpoint) {
  if (endpoint.starts_with(kScheme)) return parse_http_url(endpoint);
  HttpUrl url = TRY(parse_http_url(base_url.empty() ? "http://127.0.0.1" : base_url));
  if (url.path.ends_with('/')) url.path.pop_back();
  if (!endpoint.starts_with('/')) url.path += '/';
  url.path += endpoint;
  if (url.path.find_first_of(" \r\n") != std::string::npos) {
    return fail(ErrorCode::kInvalidArgument, "health check: the endpoint holds white space");
  }
  return url;
}

std::string probe_request(const HttpUrl& url) {
  return cat("GET ", url.path, " HTTP/1.1\r\nHost: ", url.host, ":", url.port,
             "\r\nUser-Agent: skerry-agent\r\nAccept: */*\r\nConnection: close\r\n\r\n");
}

std::optional<int> response_status(std::string_view bytes) {
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) return bytes.size() > kMaxFirstLine ? std::optional(0) : std::nullopt;
  // "HTTP/1.1 200 OK"
  const auto line = bytes.substr(0, end);
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ') return 0;
  const auto status = parse_int<int>(line.substr(9, 3), "status");
  return status && *status >= 100 ? *status : 0;
}

std::optional<std::string> rewrite_request(std::string_view bytes, std::string_view prefix) {
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) {
    return bytes.size() > kMaxFirstLine ? std::optional(std::string(bytes)) : std::nullopt;
  }
  const auto target = bytes.find(' ');
  if (target == std::string_view::npos || target > end || bytes.substr(target + 1, 1) != "/") return std::string(bytes);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return cat(bytes.substr(0, target + 1), prefix, bytes.substr(target + 1, end - target), "Connection: close\r\n",
             bytes.substr(end + 1));
}

}  // namespace skerry::agent
