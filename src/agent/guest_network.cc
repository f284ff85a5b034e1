#include "agent/guest_network.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/ether.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "agent/look_for.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr Duration kInterfaceTimeout = std::chrono::seconds(2);

Result<Fd> control_socket() {
  Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket for network settings");
  return fd;
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

Result<sockaddr> address_of(const std::string& text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (::inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1) {
    return fail(ErrorCode::kInvalidArgument, cat("\"", text, "\" is not an IPv4 address"));
  }
  sockaddr out{};
  std::memcpy(&out, &address, sizeof out);
  return out;
}

sockaddr mask_of(std::uint8_t prefix) {
  sockaddr_in mask{};
  mask.sin_family = AF_INET;
  mask.sin_addr.s_addr = htonl(prefix == 0 ? 0 : ~0U << (32U - prefix));
  sockaddr out{};
  std::memcpy(&out, &mask, sizeof out);
  return out;
}

Status set_up(int socket, const std::string& name, bool up) {
  ifreq request = request_for(name);
  if (::ioctl(socket, SIOCGIFFLAGS, &request) < 0) return fail_errno(cat("flags of ", name));
  request.ifr_flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  if (::ioctl(socket, SIOCSIFFLAGS, &request) < 0) return fail_errno(cat("bring ", up ? "up " : "down ", name));
  return {};
}

// The first Ethernet interface, or the one with this MAC.
std::string interface_with(std::string_view mac) {
  const std::unique_ptr<DIR, int (*)(DIR*)> interfaces(::opendir("/sys/class/net"), ::closedir);
  if (!interfaces) return {};
  while (const dirent* entry = ::readdir(interfaces.get())) {
    const std::string name = entry->d_name;
    if (name.starts_with('.') || name == "lo") continue;
    const auto type = read_file(cat("/sys/class/net/", name, "/type"), 64);
    if (!type || trim(*type) != "1") continue;  // ARPHRD_ETHER
    const auto found = read_file(cat("/sys/class/net/", name, "/address"), 64);
    if (mac.empty() || (found && trim(*found) == mac)) return name;
  }
  return {};
}

Result<std::string> await_interface(const std::string& mac) {
  return look_for(kInterfaceTimeout, [&mac]() -> Result<std::string> {
    auto name = interface_with(mac);
    if (!name.empty()) return name;
    return fail(ErrorCode::kNotFound, cat("network interface ", mac.empty() ? "of type Ethernet" : mac));
  });
}

Status set_default_route(int socket, const std::string& gateway, const std::string& name) {
  rtentry route{};
  route.rt_dst.sa_family = AF_INET;
  route.rt_genmask.sa_family = AF_INET;
  route.rt_gateway = TRY(address_of(gateway));
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  std::string device = name;
  route.rt_dev = device.data();
  if (::ioctl(socket, SIOCADDRT, &route) < 0 && errno != EEXIST) return fail_errno(cat("default route by ", gateway));
  return {};
}

}  // namespace

Status bring_up_loopback() {
  const Fd socket = TRY(control_socket());
  return set_up(socket.get(), "lo", true);
}

Status configure_network(const wire::GuestNetwork& network) {
  const Fd socket = TRY(control_socket());
  const std::string name = TRY(await_interface(network.mac));
  ifreq request = request_for(name);
  request.ifr_addr = TRY(address_of(network.address));
  if (::ioctl(socket.get(), SIOCSIFADDR, &request) < 0) return fail_errno(cat("address ", network.address));
  request = request_for(name);
  request.ifr_netmask = mask_of(network.prefix);
  if (::ioctl(socket.get(), SIOCSIFNETMASK, &request) < 0) return fail_errno(cat("netmask of ", name));
  TRY(set_up(socket.get(), name, true));
  if (!network.gateway.empty()) TRY(set_default_route(socket.get(), network.gateway, name));
  return {};
}

Status clear_network(const std::string& mac) {
  const Fd socket = TRY(control_socket());
  const std::string name = TRY(await_interface(mac));
  ifreq request = request_for(name);
  request.ifr_addr = TRY(address_of("0.0.0.0"));
  if (::ioctl(socket.get(), SIOCSIFADDR, &request) < 0) return fail_errno(cat("no address for ", name));
  return set_up(socket.get(), name, false);
}

Status change_mac(const std::string& mac, const std::string& new_mac) {
  const Fd socket = TRY(control_socket());
  const std::string name = TRY(await_interface(mac));
  ether_addr address{};
  if (::ether_aton_r(new_mac.c_str(), &address) == nullptr) {
    return fail(ErrorCode::kInvalidArgument, cat("\"", new_mac, "\" is not a MAC address"));
  }
  TRY(set_up(socket.get(), name, false));
  ifreq request = request_for(name);
  request.ifr_hwaddr.sa_family = 1;  // ARPHRD_ETHER
  std::memcpy(request.ifr_hwaddr.sa_data, &address, sizeof address);
  if (::ioctl(socket.get(), SIOCSIFHWADDR, &request) < 0) return fail_errno(cat("MAC address of ", name));
  return set_up(socket.get(), name, true);
}

std::string resolv_conf(const wire::GuestNetwork& network) {
  std::string text;
  if (!network.search.empty()) text += cat("search ", network.search, "\n");
  for (const auto& server : network.dns) text += cat("nameserver ", server, "\n");
  return text;
}

std::string hosts_file(const std::string& hostname, const std::string& address) {
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (!hostname.empty()) text += cat(address.empty() ? "127.0.1.1" : address, "\t", hostname, "\n");
  return text;
}

}  // namespace skerry::agent
