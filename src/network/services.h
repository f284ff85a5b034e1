// Services: virtual addresses whose connections the kernel spreads over replicas, as rules of the table of firewall.h.
//
//   map services   ADDRESS . PROTOCOL . PORT ──goto──▶ chain service_…: dnat to a random one of its endpoints
//   set service_ports   those of them that have endpoints: a first packet that reaches the host's input all the same is
//                       dropped, not refused, and so repeated a second later
//
// A change of a service's endpoints replaces the one rule of its chain, within the transaction of the whole state: a
// new connection sees the endpoints before or those after, never none. Open connections keep the endpoint they have.
//
//   - A connection that an endpoint refuses (its program has just ended, or does not listen yet) is not refused to the
//     client: the refusal is dropped, the client's kernel repeats its SYN within a second, and connection tracking,
//     which has seen the refusal, lets that one choose an endpoint again. So no connection is lost between the death of
//     a replica and the moment the control plane has taken it out.
//   - A service without endpoints refuses at once.
//   - What is not a service's port is closed on a service's address, also to programs of the host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "core/net.h"

namespace skerry::network {

struct Endpoint {
  Ipv4 address;
  std::uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

// address:port of the given protocol leads to one of `endpoints`.
struct Service {
  Ipv4 address;
  std::uint16_t port = 0;
  Protocol protocol = Protocol::kTcp;
  std::vector<Endpoint> endpoints;
  bool operator==(const Service&) const = default;
};

// kConflict when one port of an address is named twice.
Status check_services(const std::vector<Service>& services);

// Lines of the table's fixed part: the collections, and rules for the chains of those names.
std::vector<std::string_view> service_collections();
std::string_view service_dispatch();                  // first in the chains that translate addresses
std::vector<std::string_view> service_input_rules();  // first in input
std::string_view service_refusal_rule();              // in forward, before what is established is accepted

// The commands that turn the services `from` of the table into `to`; empty when they are the same.
std::string service_commands(const std::string& table, const std::vector<Service>& from,
                             const std::vector<Service>& to);

}  // namespace skerry::network
