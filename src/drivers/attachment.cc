#include "drivers/attachment.h"

#include "core/net.h"

namespace skerry {

Result<network::PortSpec> port_of(const Launch& launch) {
  const auto& attachment = *launch.network;
  network::PortSpec port;
  port.bridge = attachment.bridge;
  port.environment = launch.place.id;
  port.address = {TRY(Ipv4::parse(attachment.ip)), attachment.prefix};
  port.gateway = TRY(Ipv4::parse(attachment.gateway));
  port.mac = TRY(MacAddress::parse(attachment.mac));
  if (attachment.hidden) port.neighbours = network::Neighbours::kHidden;
  return port;
}

}  // namespace skerry
