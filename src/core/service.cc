#include "core/service.h"

#include "base/text.h"
#include "core/plugin.h"

namespace skerry {
namespace {

Status check_address(const AddressPool& pool, Ipv4 address) {
  const auto bad = [&](std::string_view why, std::string hint = {}) {
    return fail(ErrorCode::kInvalidArgument, cat("service.address: ", address.text(), " ", why), std::move(hint));
  };
  // 0/8, 127/8, 169.254/16 (never let through), and multicast with what is above.
  const std::uint32_t first = address.value >> 24U;
  const bool link_local = address.value >> 16U == 0xA9FEU;
  if (first == 0 || address.is_loopback() || first >= 224 || link_local) return bad("cannot be a service's address");
  if (address == pool.gateway.address) return bad("is the bridge's own address");
  if (address == pool.gateway.network() || address == pool.gateway.broadcast()) {
    return bad("is the subnet's own or its broadcast address");
  }
  if (pool.contains(address)) {
    return bad("is among those leased to environments", cat("choose one outside of ", pool.first.text(), "-",
                                                            pool.last.text(), ", or none: then one is chosen"));
  }
  return {};
}

}  // namespace

Result<PublishedPort> parse_service_port(std::string_view text) {
  auto port = TRY(parse_published_port(text));
  if (!port.host_ip.empty()) {
    return fail(ErrorCode::kInvalidArgument, cat("service port \"", text.substr(0, 64), "\" names an address"),
                "write PORT:TARGET, PORT:TARGET/udp, or one PORT for both; the address stands apart");
  }
  return port;
}

Status validate(const ServiceSpec& service) {
  if (service.ports.empty()) return fail(ErrorCode::kInvalidArgument, "service.ports: is empty");
  if (service.ports.size() > kMaxServicePorts) {
    return fail(ErrorCode::kInvalidArgument, cat("service.ports: more than ", kMaxServicePorts));
  }
  std::set<std::pair<std::uint16_t, Protocol>> seen;
  for (std::size_t i = 0; i < service.ports.size(); ++i) {
    const auto& port = service.ports[i];
    if (!seen.insert({port.host_port, port.protocol}).second) {
      return fail(ErrorCode::kInvalidArgument,
                  cat("service.ports[", i, "]: ", port.host_port, "/", to_text(port.protocol), " is named twice"));
    }
  }
  return {};
}

Result<Ipv4> choose_service_address(const AddressPool& pool, const std::string& wanted, const std::set<Ipv4>& taken) {
  if (!wanted.empty()) {
    const auto address = TRY_IN("service.address", Ipv4::parse(wanted));
    TRY(check_address(pool, address));
    if (taken.contains(address)) {
      return fail(ErrorCode::kAlreadyExists, cat("service.address: ", wanted, " is that of another deployment"));
    }
    return address;
  }
  for (Ipv4 address{pool.gateway.network().value + 1}; address < pool.gateway.broadcast(); ++address.value) {
    if (address == pool.first) address = Ipv4{pool.last.value + 1};
    if (address >= pool.gateway.broadcast()) break;
    if (address != pool.gateway.address && !taken.contains(address)) return address;
  }
  return fail(ErrorCode::kResourceExhausted,
              cat("no address of ", pool.gateway.network_cidr().text(), " is left for a service: ", pool.first.text(),
                  "-", pool.last.text(), " are for environments"),
              "name one of another subnet");
}

bool takes_connections(const Environment& replica) {
  return replica.status.state == State::kRunning && replica.status.goal == Goal::kRunning && !replica.ip.empty() &&
         (!replica.spec.health_check || replica.status.health == Health::kHealthy);
}

std::vector<ServiceState> services_of(const std::vector<Deployment>& deployments,
                                      const EnvironmentViews& environments) {
  std::vector<ServiceState> out;
  for (const auto& deployment : deployments) {
    if (!deployment.service) continue;
    ServiceState service{*deployment.service, {}};
    for (const auto& each : environments) {
      if (each->spec.deployment == deployment.name && takes_connections(*each)) {
        service.replicas.push_back({each->id, each->ip});
      }
    }
    out.push_back(std::move(service));
  }
  return out;
}

}  // namespace skerry
