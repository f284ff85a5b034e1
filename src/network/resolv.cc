#include "network/resolv.h"

#include <algorithm>

#include "base/file_io.h"
#include "base/text.h"

namespace skerry::network {
namespace {

constexpr std::size_t kMaxServers = 3;  // MAXNS of resolv.conf(5)
constexpr std::size_t kMaxFile = 64U << 10U;

// Calls each(keyword, rest) for the lines that say something.
template <typename Each>
void for_each_line(std::string_view text, Each each) {
  for (const auto raw : split(text, '\n')) {
    const auto line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    const auto end = std::min(line.find_first_of(" \t"), line.size());
    each(line.substr(0, end), trim(line.substr(end)));
  }
}

bool only_loopback(std::string_view text) {
  bool any = false;
  bool usable = false;
  for_each_line(text, [&](std::string_view keyword, std::string_view rest) {
    if (keyword != "nameserver") return;
    any = true;
    const auto address = Ipv4::parse(rest);
    if (!address || !address->is_loopback()) usable = true;
  });
  return any && !usable;
}

bool is_printable(std::string_view text) {
  return text.size() <= 256 && std::ranges::all_of(text, [](char c) { return c == '\t' || (c >= ' ' && c <= '~'); });
}

}  // namespace

Result<std::vector<std::string>> choose_resolvers(std::string_view host_resolv_conf, const DnsConfig& config) {
  std::vector<std::string> servers;
  servers.reserve(config.servers.size() + kMaxServers);
  for (const auto& given : config.servers) servers.push_back(TRY_IN("dns", Ipv4::parse(given)).text());
  if (servers.empty()) {
    for_each_line(host_resolv_conf, [&](std::string_view keyword, std::string_view rest) {
      const auto address = keyword == "nameserver" ? Ipv4::parse(rest) : Result<Ipv4>(Ipv4{});
      if (!address || address->is_loopback() || address->value == 0) return;
      if (std::ranges::count(servers, address->text()) == 0) servers.push_back(address->text());
    });
  }
  if (servers.empty()) {
    for (const auto& given : config.fallback) servers.push_back(TRY_IN("dns fallback", Ipv4::parse(given)).text());
  }
  if (servers.size() > kMaxServers) servers.resize(kMaxServers);
  return servers;
}

Result<std::string> render_resolv_conf(std::string_view host_resolv_conf, const DnsConfig& config) {
  std::string out = "# written by skerry\n";
  for (const auto& server : TRY(choose_resolvers(host_resolv_conf, config))) out += cat("nameserver ", server, '\n');
  for_each_line(host_resolv_conf, [&](std::string_view keyword, std::string_view rest) {
    if ((keyword == "search" || keyword == "domain" || keyword == "options") && is_printable(rest)) {
      out += cat(keyword, ' ', rest, '\n');
    }
  });
  return out;
}

std::string host_resolv_conf() {
  const auto own = read_file("/etc/resolv.conf", kMaxFile);
  if (own && !only_loopback(*own)) return *own;
  const auto behind = read_file("/run/systemd/resolve/resolv.conf", kMaxFile);
  if (behind) return *behind;
  return own.value_or(std::string());
}

std::string render_hosts(std::string_view hostname, std::string_view address) {
  std::string out = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  out += cat(address.empty() ? std::string_view("127.0.1.1") : address, '\t', hostname);
  const auto dot = hostname.find('.');
  if (dot != std::string_view::npos) out += cat(' ', hostname.substr(0, dot));
  out += '\n';
  return out;
}

}  // namespace skerry::network
