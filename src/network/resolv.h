// What an environment gets as /etc/resolv.conf and /etc/hosts. Pure texts (resolv.conf(5), hosts(5)).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/net.h"

namespace skerry::network {

struct DnsConfig {
  std::vector<std::string> servers;   // given by the user: only these are used
  std::vector<std::string> fallback;  // when the host has none that an environment can reach
};

// The resolvers an environment shall ask. Without given ones those of the host's resolv.conf, except loopback ones
// (they answer only on the host) and IPv6 ones (environments have no IPv6); at most three, as resolvers read no more.
// kInvalidArgument for a given server that is not an IPv4 address.
Result<std::vector<std::string>> choose_resolvers(std::string_view host_resolv_conf, const DnsConfig& config);

// The whole file: the resolvers, and the host's search and options lines.
Result<std::string> render_resolv_conf(std::string_view host_resolv_conf, const DnsConfig& config);

// The host's resolv.conf. Where it only names systemd-resolved's stub, the file with the resolvers behind it. Empty
// when the host has neither.
std::string host_resolv_conf();

// /etc/hosts with loopback and the environment's own name. `address` empty: no network, the name is on loopback.
std::string render_hosts(std::string_view hostname, std::string_view address);

}  // namespace skerry::network
