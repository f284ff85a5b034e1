// Addresses, pools and published ports as pure values: what network/ configures and store/ leases.
//
// Skerry's networks are IPv4 (the microVM document); parsers are strict, because what they let through ends in firewall
// rules. Every parse error is kInvalidArgument and quotes the text.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/environment.h"
#include "core/zone.h"

namespace skerry {

// An IPv4 address, as a number in host byte order: 192.168.127.1 is 0xC0A87F01.
struct Ipv4 {
  std::uint32_t value = 0;

  // Four decimal octets. Leading zeros are refused: inet_aton(3) would read "010" as eight.
  static Result<Ipv4> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool is_loopback() const { return value >> 24U == 127; }
  auto operator<=>(const Ipv4&) const = default;
};

// An address within its network: "192.168.127.1/24". Host bits may be set: it also names an interface's address.
struct Cidr {
  Ipv4 address;
  std::uint8_t prefix = 32;  // 0–32

  static Result<Cidr> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] Ipv4 network() const { return {address.value & mask()}; }
  [[nodiscard]] Ipv4 broadcast() const { return {address.value | ~mask()}; }
  [[nodiscard]] bool contains(Ipv4 other) const { return (other.value & mask()) == network().value; }
  [[nodiscard]] bool overlaps(const Cidr& other) const;
  // "192.168.127.0/24": the network without the host bits.
  [[nodiscard]] Cidr network_cidr() const { return {network(), prefix}; }
  [[nodiscard]] std::uint32_t mask() const { return prefix == 0 ? 0 : ~0U << (32U - prefix); }
  bool operator==(const Cidr&) const = default;
};

struct MacAddress {
  std::array<std::uint8_t, 6> octets{};

  // Six pairs of hexadecimal digits with ':' between.
  static Result<MacAddress> parse(std::string_view text);
  // The one MAC address that belongs to an IP address: 02:53 and its four octets. Locally administered, unicast
  // (IEEE 802 "U/L" bit), so that two environments with different addresses never share one.
  static MacAddress for_address(Ipv4 address);
  [[nodiscard]] std::string text() const;
  auto operator<=>(const MacAddress&) const = default;
};

// What a zone leases from: the inclusive range first–last of `gateway`'s subnet.
struct AddressPool {
  Cidr gateway;  // the bridge's own address with the prefix of the subnet
  Ipv4 first;
  Ipv4 last;

  // kInvalidArgument when the range is empty, leaves the subnet, or a range or gateway touches the network or
  // broadcast address.
  static Result<AddressPool> create(Cidr gateway, Ipv4 first, Ipv4 last);
  // The zone's texts, checked.
  static Result<AddressPool> of(const Zone& zone);
  [[nodiscard]] bool contains(Ipv4 address) const { return address >= first && address <= last; }
  [[nodiscard]] std::uint64_t size() const { return std::uint64_t{last.value} - first.value + 1; }
  bool operator==(const AddressPool&) const = default;
};

// The zone of a `--subnet` given as the bridge's own address with its prefix ("192.168.127.1/24") or as the network
// ("192.168.127.0/24": then the bridge gets its first address). The pool begins at 100/255 of
// the subnet and runs to its end: .100–.254 for a /24. kInvalidArgument outside /8 to /29.
Result<Zone> zone_for_subnet(Zone zone, std::string_view subnet);

// The lowest address of the pool that is neither leased nor the gateway. Deterministic: the same leases always give the
// same answer. kResourceExhausted names the pool when there is none.
Result<Ipv4> lowest_free(const AddressPool& pool, const std::set<Ipv4>& leased);

// The port grammar of the command line and of the run configuration: HOST:GUEST[/tcp|/udp] or IP:HOST:GUEST[/…].
Result<PublishedPort> parse_published_port(std::string_view text);
// The same form back; "/tcp" is left out.
std::string to_text(const PublishedPort& port);
// Whether they want the same port of the host: one without an address wants it on all of them.
bool clash(const PublishedPort& a, const PublishedPort& b);
std::string_view to_text(Protocol value);

}  // namespace skerry
