// Service: the virtual address of a deployment, whose ports lead to its ready replicas. Values and decisions only;
// network/services.h does the work.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "core/net.h"

namespace skerry {

struct Deployment;

// What a deployment asks for. Of a port, `host_port` is that of the virtual address and `guest_port` the replica's;
// `host_ip` stays empty.
struct ServiceSpec {
  std::string address;  // in a request: empty has one chosen
  std::vector<PublishedPort> ports;
  bool operator==(const ServiceSpec&) const = default;
};

inline constexpr std::size_t kMaxServicePorts = 64;

// "80:8080", "53:53/udp", or one number for both. kInvalidArgument.
Result<PublishedPort> parse_service_port(std::string_view text);
// What is wrong with it by itself; errors name the field below "service".
Status validate(const ServiceSpec& service);

// The wanted address, or with none the lowest of the zone's subnet that is neither leased to environments (the pool is
// theirs) nor taken by another service. kInvalidArgument, kAlreadyExists, kResourceExhausted.
Result<Ipv4> choose_service_address(const AddressPool& pool, const std::string& wanted, const std::set<Ipv4>& taken);

// A replica that new connections may be sent to: it runs and, where it has a check, is healthy.
bool takes_connections(const Environment& replica);

// One service as it is to stand now.
struct ServiceState {
  ServiceSpec spec;
  struct Replica {
    std::string id;
    std::string ip;
    auto operator<=>(const Replica&) const = default;
  };
  std::vector<Replica> replicas;  // those that take connections
  bool operator==(const ServiceState&) const = default;
};
std::vector<ServiceState> services_of(const std::vector<Deployment>& deployments, const EnvironmentViews& environments);

}  // namespace skerry
