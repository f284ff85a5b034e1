#include "core/zone_plan.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace skerry {

std::string_view to_text(Egress value) { return value == Egress::kNat ? "nat" : "none"; }

namespace {

constexpr std::array<std::string_view, 8> kColours{"red",  "orange", "yellow", "green",
                                                   "blue", "purple", "grey",   "black"};
constexpr std::size_t kMaxInterfaceName = 15;  // IFNAMSIZ - 1
constexpr std::string_view kBridgePrefix = "vbr-";

std::unexpected<Error> wrong(std::string_view field, std::string_view text, std::string_view why,
                             std::string hint = {}) {
  return fail(ErrorCode::kInvalidArgument, cat(field, ": \"", text.substr(0, 64), "\" ", why), std::move(hint));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

bool is_hex_colour(std::string_view text) {
  return text.size() == 7 && text.front() == '#' &&
         std::ranges::all_of(text.substr(1), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Names differ in four letters of this when their beginnings do not.
std::uint32_t fnv1a(std::string_view text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

Status check_bridge_name(std::string_view name) {
  const bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (plain && !name.empty() && name.size() <= kMaxInterfaceName && name != "." && name != "..") return {};
  return wrong("bridge", name, "is no interface name", "use 1 to 15 of letters, digits, '-', '_' and '.'");
}

Cidr network_of(const Zone& zone) { return Cidr::parse(zone.subnet).value_or(Cidr{}); }

const Zone* overlapping(const std::vector<Zone>& zones, const Cidr& network) {
  const auto found = std::ranges::find_if(zones, [&](const Zone& each) { return network_of(each).overlaps(network); });
  return found == zones.end() ? nullptr : &*found;
}

const Cidr* overlapping(const std::vector<Cidr>& networks, const Cidr& network) {
  const auto found = std::ranges::find_if(networks, [&](const Cidr& each) { return each.overlaps(network); });
  return found == networks.end() ? nullptr : &*found;
}

Result<std::string> choose_subnet(const std::vector<Zone>& zones, const std::vector<Cidr>& host_networks) {
  for (std::uint32_t third = 128; third < 255; ++third) {
    const Cidr candidate{Ipv4{(192U << 24U) | (168U << 16U) | (third << 8U)}, 24};
    if (overlapping(zones, candidate) == nullptr && overlapping(host_networks, candidate) == nullptr) {
      return candidate.text();
    }
  }
  return fail(ErrorCode::kResourceExhausted, "no subnet of 192.168.128.0/24 to 192.168.254.0/24 is free",
              "name one with --subnet");
}

Status check_subnet(const Zone& zone, const std::vector<Zone>& zones, const std::vector<Cidr>& host_networks) {
  const Cidr network = network_of(zone);
  if (const auto* other = overlapping(zones, network)) {
    return fail(ErrorCode::kConflict,
                cat("subnet ", zone.subnet, " overlaps with ", other->subnet, " of zone \"", other->name, "\""),
                "choose another one with --subnet, or none: then a free one is taken");
  }
  if (const auto* other = overlapping(host_networks, network)) {
    return fail(ErrorCode::kConflict,
                cat("subnet ", zone.subnet, " overlaps with ", other->text(), ", which this host already has"),
                "choose another one with --subnet, or none: then a free one is taken");
  }
  return {};
}

Result<Zone> place(Zone zone, const ZoneWish& wish, const std::vector<Zone>& zones,
                   const std::vector<Cidr>& host_networks) {
  const std::string subnet = wish.subnet.empty() ? TRY(choose_subnet(zones, host_networks)) : wish.subnet;
  zone = TRY_IN("subnet", zone_for_subnet(std::move(zone), subnet));
  const Cidr network = network_of(zone);
  // Addresses that no host may have, or that lead to this one.
  for (const auto* reserved : {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"}) {
    if (network.overlaps(TRY(Cidr::parse(reserved)))) return wrong("subnet", subnet, cat("overlaps with ", reserved));
  }
  if (!wish.pool_first.empty()) zone.pool_first = wish.pool_first;
  if (!wish.pool_last.empty()) zone.pool_last = wish.pool_last;
  const auto pool = TRY_IN("pool", AddressPool::of(zone));
  zone.pool_first = pool.first.text();
  zone.pool_last = pool.last.text();
  return zone;
}

}  // namespace

Result<Egress> parse_egress(std::string_view text) {
  if (text == "none") return Egress::kNone;
  if (text == "nat") return Egress::kNat;
  if (text.starts_with("via")) {
    return fail(ErrorCode::kUnsupported,
                cat("egress: \"", text.substr(0, 64), "\": through a router VM is not there yet"), "use none or nat");
  }
  return wrong("egress", text, "is not known", "there are: none, nat");
}

Result<std::string> parse_colour(std::string_view text) {
  std::string colour = lower(text);
  if (colour == "gray") return std::string("grey");
  if (std::ranges::find(kColours, colour) != kColours.end() || is_hex_colour(colour)) return colour;
  return wrong("colour", text, "is no colour",
               cat("there are: ", join(std::vector<std::string>(kColours.begin(), kColours.end()), ", "), ", #rrggbb"));
}

std::string bridge_for_zone(const std::string& name) {
  const std::size_t room = kMaxInterfaceName - kBridgePrefix.size();
  if (name.size() <= room) return cat(kBridgePrefix, name);
  std::string tail;
  for (std::uint32_t hash = fnv1a(name), i = 0; i < 4; ++i, hash >>= 4U) tail += "0123456789abcdef"[hash & 15U];
  return cat(kBridgePrefix, name.substr(0, room - 5), "-", tail);
}

Result<Zone> plan_zone(const ZoneWish& wish, const std::vector<Zone>& zones, const std::vector<Cidr>& host_networks) {
  if (!is_dns_label(wish.name)) {
    return wrong("name", wish.name, "is no zone name",
                 "use 1 to 63 of a-z, 0-9 and '-', a letter or digit at both ends");
  }
  Zone zone;
  zone.name = wish.name;
  zone.colour = TRY(parse_colour(wish.colour.empty() ? "grey" : wish.colour));
  zone.egress = TRY(parse_egress(wish.egress.empty() ? "nat" : wish.egress));
  zone.isolated = wish.isolated;
  zone.bridge = wish.bridge.empty() ? bridge_for_zone(wish.name) : wish.bridge;
  TRY(check_bridge_name(zone.bridge));
  if (wish.dns.size() > kMaxZoneDns) return wrong("dns", cat(wish.dns.size()), "are too many name servers");
  for (const auto& server : wish.dns) zone.dns.push_back(TRY_IN("dns", Ipv4::parse(server)).text());
  for (const auto& each : zones) {
    if (each.name == zone.name) return fail(ErrorCode::kAlreadyExists, cat("zone \"", zone.name, "\" exists"));
    if (each.bridge == zone.bridge) {
      return fail(ErrorCode::kAlreadyExists, cat("bridge ", zone.bridge, " is of zone \"", each.name, "\""),
                  "choose another one with --bridge");
    }
  }
  if (zones.size() >= kMaxZones)
    return fail(ErrorCode::kResourceExhausted, cat("there are ", kMaxZones, " zones already"));
  zone = TRY(place(std::move(zone), wish, zones, host_networks));
  TRY(check_subnet(zone, zones, host_networks));
  return zone;
}

Status check_apart(const std::vector<Zone>& zones) {
  for (std::size_t i = 0; i < zones.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const Zone& a = zones[j];
      const Zone& b = zones[i];
      if (a.bridge != b.bridge && !network_of(a).overlaps(network_of(b))) continue;
      return fail(ErrorCode::kConflict,
                  cat("zone \"", b.name, "\" (", b.bridge, ", ", b.subnet, ") is in the way of zone \"", a.name, "\" (",
                      a.bridge, ", ", a.subnet, ")"),
                  "give the default zone another --bridge or --subnet");
    }
  }
  return {};
}

}  // namespace skerry
