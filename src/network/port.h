// Ports: an environment's place on its zone's bridge. A container's port is one end of a veth pair whose other end is
// eth0 in the container's network namespace; a VM's port is a tap device whose other side is the descriptor its VMM
// reads.
//
//   container netns            host netns                        VMM process
//   ┌──────────────┐        ┌──────────────────────────┐       ┌────────────┐
//   │ eth0 (veth) ─┼────────┼─ skXXXXYYYYYYYYY ─┐       │       │            │
//   └──────────────┘        │                 vbr0     │       │ virtio-net │
//                           │  skXXXXYYYYYYYYY ─┘ (tap)─┼── fd ─┤            │
//                           └──────────────────────────┘       └────────────┘
//
// Neither needs a memory: the name follows from bridge and environment, the environment's id is an alternative name
// ("skerry-<id>") that every tool understands, and both kinds vanish by themselves, the veth pair with the namespace,
// the tap with the last descriptor on it. Ports take no IPv6 address, and the pins of the firewall (firewall.h) cover
// them by name from their first moment.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "core/net.h"
#include "network/netns.h"

namespace skerry::network {

// Whether ports of one bridge may talk to each other (a zone with `isolated = true` says no; the kernel then forwards
// nothing between them: IFLA_BRPORT_ISOLATED).
enum class Neighbours : std::uint8_t { kVisible, kHidden };

struct PortSpec {
  std::string bridge;
  std::string environment;  // the environment's id: 1–64 of [A-Za-z0-9._-], unique on the host
  Cidr address;             // the environment's own, with the prefix of its subnet
  Ipv4 gateway;
  MacAddress mac;  // of the environment's side
  Neighbours neighbours = Neighbours::kVisible;
};

// "sk", four characters from the bridge's name, nine from the environment's id: IFNAMSIZ - 1.
std::string port_name(const std::string& bridge, const std::string& environment);
// What all ports of a bridge begin with, six characters.
std::string port_prefix(const std::string& bridge);
// "skerry-<id>".
std::string port_alt_name(const std::string& environment);

// Makes the pair, puts one end on the bridge and the other, configured (eth0, address, default route, up), into the
// namespace. A port of the same environment that was left by a killed attempt is replaced. Undone when it fails.
Status attach_veth(const PortSpec& spec, int netns_fd);
// The same for a namespace that was just made.
Status attach_veth(const PortSpec& spec, NewNetns& netns);

// Makes a tap device on the bridge and hands back its open descriptor: non-blocking, no packet information header, with
// a virtio-net header (IFF_VNET_HDR), one queue. The device is not persistent: it lives exactly as long as a
// descriptor, so that it outlives skerryd inside the VMM and cannot outlive the VMM. kConflict when another process
// still holds the environment's tap.
Result<Fd> attach_tap(const PortSpec& spec);

// Removes the environment's port, whichever kind it is, on whichever bridge. Missing is success. Waits until the kernel
// has let go of the device (tens of ms): where the namespace or the VMM ends anyway, leave it to that.
Status detach(const std::string& environment);
// The same for a port that has got its second name, without a look at all others. Where a namespace ends its port
// mostly goes by itself, but a connection that was cut off in it may hold it for minutes, and its address is somebody
// else's then.
Status detach_named(const std::string& environment);

}  // namespace skerry::network
