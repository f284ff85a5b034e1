// The guest's network, set up from the boot document without any program of the image: loopback, one Ethernet
// interface with a fixed address, default route, /etc/resolv.conf (netdevice(7), rtnetlink's ioctl forms).
#pragma once

#include <string>

#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

Status bring_up_loopback();
// Interface, address, route. kNotFound when there is no interface with that MAC; waits up to two seconds for it.
// Called again (after a fork) it replaces address and route.
Status configure_network(const wire::GuestNetwork& network);
// Takes address and routes from the interface with `mac`, and leaves it down.
Status clear_network(const std::string& mac);
// Gives the interface with `mac` another one. It is down for the moment.
Status change_mac(const std::string& mac, const std::string& new_mac);

// The text of /etc/resolv.conf. Pure.
std::string resolv_conf(const wire::GuestNetwork& network);
// The text of /etc/hosts: loopback, and the host's own name at `address` (empty: at 127.0.1.1). Pure.
std::string hosts_file(const std::string& hostname, const std::string& address);

}  // namespace skerry::agent
