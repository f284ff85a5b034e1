#include "control/launch.h"

#include "base/text.h"
#include "core/net.h"
#include "core/state_machine.h"

namespace skerry {

Result<std::optional<NetworkAttachment>> make_attachment(const Environment& environment, const Zone& zone,
                                                         const std::vector<std::string>& default_dns) {
  if (environment.ip.empty()) return std::nullopt;
  const auto pool = TRY(AddressPool::of(zone));
  const Ipv4 ip = TRY(Ipv4::parse(environment.ip));
  NetworkAttachment out;
  out.bridge = zone.bridge;
  out.ip = ip.text();
  out.prefix = pool.gateway.prefix;
  out.gateway = pool.gateway.address.text();
  out.mac = MacAddress::for_address(ip).text();
  out.hidden = zone.isolated;
  out.dns = environment.spec.dns.empty() ? default_dns : environment.spec.dns;
  return out;
}

Status check_port_conflicts(const Environment& candidate, const EnvironmentViews& others) {
  if (candidate.spec.ports.empty()) return {};
  for (const auto& other : others) {
    if (other->id == candidate.id || !is_alive(other->status.state)) continue;
    for (const auto& mine : candidate.spec.ports) {
      for (const auto& theirs : other->spec.ports) {
        if (!clash(mine, theirs)) continue;
        return fail(ErrorCode::kConflict,
                    cat("port ", mine.host_port, " is already published by \"", other->spec.name, "\""),
                    cat("choose another host port with -p, or stop ", other->spec.name));
      }
    }
  }
  return {};
}

}  // namespace skerry
