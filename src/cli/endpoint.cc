#include "cli/endpoint.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "cli/tls_report.h"

namespace skerry::cli {
namespace {

constexpr std::size_t kMaxToken = 4096;
// skerry-tls has its own, shorter limits; this one is for one that hangs.
constexpr int kMostMs = 60'000;

std::unexpected<Error> wrong(const std::string& url, std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, cat("--host \"", url.substr(0, 200), "\": ", what),
              "it is https://HOST:PORT");
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
  return host == "::1" || host == "localhost";
}

// "HOST", "HOST:PORT", "[V6]", "[V6]:PORT"
Status split_authority(const std::string& url, std::string_view text, TcpEndpoint& into) {
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return wrong(url, "the address has no ']'");
    into.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port.front() != ':') return wrong(url, "behind ']' only :PORT may follow");
    if (!port.empty()) port.remove_prefix(1);
  } else {
    into.host = text.substr(0, text.find(':'));
    if (into.host.size() < text.size()) port = text.substr(into.host.size() + 1);
    if (port.find(':') != std::string_view::npos) return wrong(url, "an IPv6 address stands in brackets: [::1]");
  }
  if (into.host.empty()) return wrong(url, "names no host");
  if (into.host.find_first_of("[]") != std::string::npos)
    return wrong(url, "brackets stand around an IPv6 address only");
  if (port.data() == nullptr || port.empty()) return {};
  into.port = TRY_IN("--host", parse_int<std::uint16_t>(port, "port"));
  return into.port == 0 ? wrong(url, "port 0 is none") : Status{};
}

Result<Fd> connect_plain(const TcpEndpoint& to) {
  const bool v6 = to.host == "::1";
  Fd socket(::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = htons(to.port);
  six.sin6_addr = in6addr_loopback;
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = htons(to.port);
  if (to.host == "localhost" || ::inet_pton(AF_INET, to.host.c_str(), &four.sin_addr) != 1) {
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  const auto* address = v6 ? reinterpret_cast<const sockaddr*>(&six) : reinterpret_cast<const sockaddr*>(&four);
  if (::connect(socket.get(), address, v6 ? sizeof six : sizeof four) == 0) return socket;
  return fail(Error::last(cat("skerryd does not answer on http://", to.host, ":", to.port)));
}

Result<std::string> carrier_program() {
  const auto self = TRY(sys::readlink("/proc/self/exe"));
  std::string beside = cat(self.substr(0, self.rfind('/')), "/skerry-tls");
  if (sys::exists(beside)) return beside;
  return fail(ErrorCode::kUnsupported, cat("there is no ", beside), "install Skerry again: https goes through it");
}

// The first report: the connection stands, or why it does not.
Status first_words(int report) {
  std::string text;
  while (!ends_report(text)) {
    pollfd poller{report, POLLIN, 0};
    const int ready = ::poll(&poller, 1, kMostMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return fail(ErrorCode::kDeadlineExceeded, "skerry-tls does not connect");
    char chunk[1024];
    const auto got = ::read(report, chunk, sizeof chunk);
    if (got <= 0) return fail(ErrorCode::kInternal, "skerry-tls ended without a word");
    text.append(chunk, static_cast<std::size_t>(got));
  }
  if (auto error = read_report(text)) return fail(std::move(*error));
  return {};
}

Result<Link> connect_tls(const Endpoint& endpoint) {
  const auto& to = *endpoint.tcp;
  SocketPair pair = TRY(unix_pair());
  sys::Pipe reports = TRY(sys::pipe());
  Link link;
  link.report = std::move(reports.read_end);
  SpawnSpec spec;
  spec.program = TRY(carrier_program());
  spec.argv = {"skerry-tls", to.host, cat(to.port), endpoint.ca_file, endpoint.certificate_file, endpoint.key_file};
  spec.fds = {{pair.second.get(), 0}, {reports.write_end.get(), 1}};
  // Ctrl-C in a terminal is for us: what it means is told through the connection.
  spec.session = SpawnSpec::Session::kNew;
  link.carrier = TRY(Child::spawn(spec));
  link.socket = std::move(pair.first);
  pair.second.reset();
  reports.write_end.reset();
  TRY(annotate(first_words(link.report.get()), cat("https://", endpoint.authority())));
  return link;
}

}  // namespace

std::string Endpoint::authority() const {
  if (!tcp) return "localhost";
  const bool v6 = tcp->host.find(':') != std::string::npos;
  return cat(v6 ? "[" : "", tcp->host, v6 ? "]" : "", ":", tcp->port);
}

Result<TcpEndpoint> parse_host_url(const std::string& url) {
  TcpEndpoint endpoint;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    endpoint.port = 443;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    endpoint.tls = false;
    endpoint.port = 80;
    rest.remove_prefix(7);
  } else {
    return wrong(url, "begins neither with https:// nor with http://");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  for (const char letter : rest) {
    if (letter == '@')
      return fail(ErrorCode::kInvalidArgument, "--host: a user or a token does not belong into a URL",
                  "give the token by SKERRY_TOKEN or --token-file");
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') ||
                       std::string_view(".-_:[]").find(letter) != std::string_view::npos;
    if (!plain) return wrong(url, "only a host and a port may follow");
  }
  TRY(split_authority(url, rest, endpoint));
  if (!endpoint.tls && !is_loopback(endpoint.host)) {
    return wrong(url, "without TLS only this host is asked: the token would travel in clear");
  }
  return endpoint;
}

Result<std::string> read_token(const std::string& path) {
  const Fd file = TRY_IN("--token-file", sys::open(path, O_RDONLY));
  if ((TRY(sys::fstat(file.get())).st_mode & 077U) != 0) {
    return fail(ErrorCode::kInvalidArgument, cat("--token-file: others than its owner can use ", path),
                cat("chmod 600 ", path));
  }
  const std::string text = TRY_IN("--token-file", read_file(path, kMaxToken));
  std::string token(trim(std::string_view(text).substr(0, text.find('\n'))));
  if (token.empty()) return fail(ErrorCode::kInvalidArgument, cat("--token-file: ", path, " holds no token"));
  return token;
}

std::optional<Error> Link::last_words() const {
  if (!report) return std::nullopt;
  std::string text;
  // It says why before it ends, and its end is what we have seen.
  pollfd poller{report.get(), POLLIN, 0};
  while (::poll(&poller, 1, 1000) == 1) {
    char chunk[1024];
    const auto got = ::read(report.get(), chunk, sizeof chunk);
    if (got <= 0) break;
    text.append(chunk, static_cast<std::size_t>(got));
  }
  return read_report(text);
}

Result<Link> connect_tcp(const Endpoint& endpoint) {
  if (endpoint.tcp->tls) return connect_tls(endpoint);
  Link link;
  link.socket = TRY(connect_plain(*endpoint.tcp));
  return link;
}

}  // namespace skerry::cli
