#include "core/net.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/text.h"

namespace skerry {
namespace {

std::unexpected<Error> wrong(std::string_view what, std::string_view text, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, cat(what, " \"", text.substr(0, 64), "\": ", why));
}

// A decimal number without sign or leading zero, at most `limit`.
std::optional<std::uint32_t> plain_number(std::string_view text, std::uint32_t limit) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > limit) return std::nullopt;
  return value;
}

}  // namespace

Result<Ipv4> Ipv4::parse(std::string_view text) {
  constexpr std::string_view kWhy = "not four decimal numbers 0-255 with dots between";
  if (text.size() > 15) return wrong("address", text, kWhy);
  const auto parts = split(text, '.');
  if (parts.size() != 4) return wrong("address", text, kWhy);
  Ipv4 address;
  for (const auto part : parts) {
    const auto octet = plain_number(part, 255);
    if (!octet) return wrong("address", text, kWhy);
    address.value = address.value << 8U | *octet;
  }
  return address;
}

std::string Ipv4::text() const {
  return cat(value >> 24U, '.', (value >> 16U) & 255U, '.', (value >> 8U) & 255U, '.', value & 255U);
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return wrong("subnet", text, "not ADDRESS/PREFIX, such as 192.168.127.1/24");
  const auto address = Ipv4::parse(text.substr(0, slash));
  const auto prefix = plain_number(text.substr(slash + 1), 32);
  if (!address || !prefix) return wrong("subnet", text, "not ADDRESS/PREFIX, such as 192.168.127.1/24");
  return Cidr{*address, static_cast<std::uint8_t>(*prefix)};
}

std::string Cidr::text() const { return cat(address.text(), '/', prefix); }

bool Cidr::overlaps(const Cidr& other) const { return contains(other.network()) || other.contains(network()); }

Result<MacAddress> MacAddress::parse(std::string_view text) {
  constexpr std::string_view kWhy = "not six pairs of hexadecimal digits with ':' between";
  if (text.size() != 17) return wrong("MAC address", text, kWhy);
  MacAddress mac;
  for (std::size_t i = 0; i < mac.octets.size(); ++i) {
    if (i > 0 && text[i * 3 - 1] != ':') return wrong("MAC address", text, kWhy);
    const char* pair = &text[i * 3];
    const auto [end, error] = std::from_chars(pair, pair + 2, mac.octets[i], 16);
    if (error != std::errc{} || end != pair + 2) return wrong("MAC address", text, kWhy);
  }
  return mac;
}

MacAddress MacAddress::for_address(Ipv4 address) {
  const auto octet = [&](unsigned shift) { return static_cast<std::uint8_t>(address.value >> shift); };
  return {{0x02, 0x53, octet(24), octet(16), octet(8), octet(0)}};
}

std::string MacAddress::text() const {
  std::string hex = to_hex({reinterpret_cast<const char*>(octets.data()), octets.size()});
  for (std::size_t at = 2; at < hex.size(); at += 3) hex.insert(at, 1, ':');
  return hex;
}

Result<AddressPool> AddressPool::create(Cidr gateway, Ipv4 first, Ipv4 last) {
  const auto bad = [&](std::string_view why) {
    return wrong("address pool", cat(first.text(), '-', last.text()), why);
  };
  if (gateway.prefix > 30) return wrong("subnet", gateway.text(), "too small for a bridge and an environment");
  if (gateway.address == gateway.network() || gateway.address == gateway.broadcast()) {
    return wrong("gateway", gateway.text(), "is the network's own or its broadcast address");
  }
  if (first > last) return bad("ends before it begins");
  if (first <= gateway.network() || last >= gateway.broadcast()) {
    return bad(cat("does not lie within the hosts of ", gateway.network_cidr().text()));
  }
  if (first == last && first == gateway.address) return bad("holds only the gateway");
  return AddressPool{gateway, first, last};
}

Result<AddressPool> AddressPool::of(const Zone& zone) {
  const std::string where = cat("zone ", zone.name);
  const Cidr subnet = TRY_IN(where, Cidr::parse(zone.subnet));
  const Ipv4 gateway = TRY_IN(where, Ipv4::parse(zone.gateway));
  if (!subnet.contains(gateway)) {
    return annotate(Result<AddressPool>(wrong("gateway", zone.gateway, cat("not in ", zone.subnet))), where);
  }
  const Ipv4 first = TRY_IN(where, Ipv4::parse(zone.pool_first));
  const Ipv4 last = TRY_IN(where, Ipv4::parse(zone.pool_last));
  return annotate(create({gateway, subnet.prefix}, first, last), where);
}

Result<Zone> zone_for_subnet(Zone zone, std::string_view subnet) {
  Cidr gateway = TRY(Cidr::parse(subnet));
  if (gateway.prefix > 29) return wrong("subnet", subnet, "smaller than a /29");
  if (gateway.prefix < 8) return wrong("subnet", subnet, "larger than a /8");
  if (gateway.address == gateway.network()) ++gateway.address.value;
  const std::uint64_t hosts = std::uint64_t{gateway.broadcast().value} - gateway.network().value;
  const Ipv4 first{gateway.network().value + static_cast<std::uint32_t>(hosts * 100 / 255)};
  const Ipv4 last{gateway.broadcast().value - 1};
  const auto pool = TRY(AddressPool::create(gateway, first, last));
  zone.subnet = gateway.network_cidr().text();
  zone.gateway = gateway.address.text();
  zone.pool_first = pool.first.text();
  zone.pool_last = pool.last.text();
  return zone;
}

Result<Ipv4> lowest_free(const AddressPool& pool, const std::set<Ipv4>& leased) {
  Ipv4 candidate = pool.first;
  // The set is sorted: walk both upwards until there is a gap.
  auto taken = leased.lower_bound(candidate);
  while (candidate <= pool.last) {
    const bool is_taken = taken != leased.end() && *taken == candidate;
    if (!is_taken && candidate != pool.gateway.address) return candidate;
    if (is_taken) ++taken;
    ++candidate.value;
  }
  return fail(
      ErrorCode::kResourceExhausted,
      cat("no free address: all ", pool.size(), " of ", pool.first.text(), "-", pool.last.text(), " are leased"),
      "delete an environment, or give the daemon a larger --subnet");
}

std::string_view to_text(Protocol value) { return value == Protocol::kUdp ? "udp" : "tcp"; }

Result<PublishedPort> parse_published_port(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, cat("port \"", text.substr(0, 64), "\": ", why),
                "write HOST:GUEST, HOST:GUEST/udp, IP:HOST:GUEST, or one PORT for both sides");
  };
  PublishedPort port;
  std::string_view rest = text;
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    const auto protocol = rest.substr(slash + 1);
    if (protocol != "tcp" && protocol != "udp") return bad("the protocol must be tcp or udp");
    if (protocol == "udp") port.protocol = Protocol::kUdp;
    rest = rest.substr(0, slash);
  }
  auto parts = split(rest, ':');
  if (parts.size() == 3) {
    const auto host = Ipv4::parse(parts.front());
    if (!host) return bad("the host address is not an IPv4 address");
    if (host->value != 0) port.host_ip = host->text();  // 0.0.0.0 means every address, as for bind(2)
    parts.erase(parts.begin());
  }
  if (parts.size() == 1) parts.push_back(parts.front());
  if (parts.size() != 2) return bad("two port numbers are needed");
  const auto host_port = plain_number(parts[0], 65535);
  const auto guest_port = plain_number(parts[1], 65535);
  if (!host_port || *host_port == 0) return bad("the host port must be 1 to 65535");
  if (!guest_port || *guest_port == 0) return bad("the guest port must be 1 to 65535");
  port.host_port = static_cast<std::uint16_t>(*host_port);
  port.guest_port = static_cast<std::uint16_t>(*guest_port);
  return port;
}

bool clash(const PublishedPort& a, const PublishedPort& b) {
  if (a.host_port != b.host_port || a.protocol != b.protocol) return false;
  return a.host_ip.empty() || b.host_ip.empty() || a.host_ip == b.host_ip;
}

std::string to_text(const PublishedPort& port) {
  std::string out = port.host_ip.empty() ? std::string() : cat(port.host_ip, ':');
  out += cat(port.host_port, ':', port.guest_port);
  if (port.protocol == Protocol::kUdp) out += "/udp";
  return out;
}

}  // namespace skerry
