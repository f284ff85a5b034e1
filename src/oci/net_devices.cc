#include "oci/net_devices.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "base/sys_file.h"
#include "base/text.h"
#include "oci/route_socket.h"

namespace skerry::oci {
namespace {

constexpr int kMostOfAKind = 4096;

template <typename Header>
std::string_view bytes_of(const Header& header) {
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

template <typename Header>
Header header_from(std::string_view bytes) {
  Header out{};
  std::memcpy(&out, bytes.data(), std::min(sizeof out, bytes.size()));
  return out;
}

// What stays with an interface: the addresses somebody has set for good. Those the kernel made (link-local) or that
// run out are made anew where it goes.
bool is_kept(const ifaddrmsg& header, const RouteAttributes& attributes) {
  std::uint32_t flags = header.ifa_flags;
  if (const auto wide = attributes.find(IFA_FLAGS)) flags = header_from<std::uint32_t>(*wide);
  return header.ifa_scope == RT_SCOPE_UNIVERSE && (flags & IFA_F_PERMANENT) != 0;
}

Result<bool> is_up(RouteSocket& socket, int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  bool up = false;
  TRY(socket.ask(RTM_GETLINK, 0, bytes_of(header), {}, [&](std::string_view found, const RouteAttributes&) {
    up = (header_from<ifinfomsg>(found).ifi_flags & IFF_UP) != 0;
  }));
  return up;
}

Status set_up(RouteSocket& socket, int index) {
  ifinfomsg header{};
  header.ifi_index = index;
  header.ifi_flags = header.ifi_change = IFF_UP;
  return annotate(socket.request(RTM_NEWLINK, 0, bytes_of(header), {}), "bring it up");
}

// One message moves and renames. The index in the new namespace is asked for: the old one may be taken there.
Result<int> change_namespace(RouteSocket& from, RouteSocket& to, int index, int netns, const std::string& name) {
  ifinfomsg header{};
  header.ifi_index = index;
  RouteAttributes attributes;
  attributes.add_number(IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
  attributes.add(IFLA_IFNAME, {name.c_str(), name.size() + 1});
  TRY_IN("move it", from.request(RTM_NEWLINK, 0, bytes_of(header), attributes));
  const auto arrived = TRY(to.link_index(name));
  if (!arrived) return fail(ErrorCode::kIo, cat("it did not arrive as ", name));
  return *arrived;
}

// The name itself, or with "%d" the first that is free.
Result<std::string> free_name(RouteSocket& socket, const std::string& wanted) {
  const auto place = wanted.find("%d");
  for (int number = 0; number < kMostOfAKind; ++number) {
    const std::string name =
        place == std::string::npos ? wanted : cat(wanted.substr(0, place), number, wanted.substr(place + 2));
    if (!TRY(socket.link_index(name))) return name;
    if (place == std::string::npos) break;
  }
  return fail(ErrorCode::kAlreadyExists, cat("the container has an interface ", wanted, " already"));
}

}  // namespace

Status NetDevices::move_one(const std::string& host_name, const NetDevice& device) {
  auto host = TRY(RouteSocket::open());
  auto container = TRY(RouteSocket::open_in(netns_.get()));
  const auto index = TRY(host.link_index(host_name));
  if (!index) return fail(ErrorCode::kNotFound, "the host has no such interface");
  Moved entry{host_name,
              TRY(free_name(container, device.name.empty() ? host_name : device.name)),
              {},
              TRY(is_up(host, *index))};
  TRY(host.ask(RTM_GETADDR, NLM_F_DUMP, bytes_of(ifaddrmsg{}), {},
               [&](std::string_view bytes, const RouteAttributes& attributes) {
                 const auto header = header_from<ifaddrmsg>(bytes);
                 if (header.ifa_index != static_cast<unsigned>(*index) || !is_kept(header, attributes)) return;
                 RouteAttributes kept;
                 for (const auto type : {IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST}) {
                   if (const auto value = attributes.find(static_cast<std::uint16_t>(type))) {
                     kept.add(static_cast<std::uint16_t>(type), *value);
                   }
                 }
                 entry.addresses.push_back({std::string(bytes), kept.bytes()});
               }));
  const int arrived = TRY(change_namespace(host, container, *index, netns_.get(), entry.name));
  moved_.push_back(entry);
  for (const auto& address : entry.addresses) {
    auto header = header_from<ifaddrmsg>(address.header);
    header.ifa_index = static_cast<unsigned>(arrived);
    TRY_IN("set its addresses", container.request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, bytes_of(header),
                                                  RouteAttributes(address.attributes)));
  }
  return set_up(container, arrived);
}

Status NetDevices::move_in(const std::map<std::string, NetDevice>& devices, Fd netns) {
  netns_ = std::move(netns);
  for (const auto& [host_name, device] : devices) {
    auto done = move_one(host_name, device);
    if (done) continue;
    move_back();
    return annotate(std::move(done), cat("/linux/netDevices/", host_name));
  }
  return {};
}

void NetDevices::move_back() {
  const auto own = sys::open("/proc/self/ns/net", O_RDONLY);
  auto host = RouteSocket::open();
  auto container = RouteSocket::open_in(netns_.get());
  if (!own || !host || !container) return;
  for (const auto& entry : moved_) {
    const auto index = container->link_index(entry.name);
    if (!index || !*index) continue;
    const auto arrived = change_namespace(*container, *host, **index, own->get(), entry.host_name);
    if (!arrived) continue;
    for (const auto& address : entry.addresses) {
      auto header = header_from<ifaddrmsg>(address.header);
      header.ifa_index = static_cast<unsigned>(*arrived);
      (void)host->request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, bytes_of(header),
                          RouteAttributes(address.attributes));
    }
    if (entry.was_up) (void)set_up(*host, *arrived);
  }
  moved_.clear();
}

}  // namespace skerry::oci
