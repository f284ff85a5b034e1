// From what a creation asks for to a whole zone. Pure: the zones that there are and the host's networks come in as
// values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/net.h"
#include "core/zone.h"

namespace skerry {

// Texts as given; empty: chosen.
struct ZoneWish {
  std::string name;
  std::string colour;      // grey
  std::string bridge;      // "vbr-" and the name, or what fits of it
  std::string subnet;      // as zone_for_subnet() takes it; the first free one of 192.168.128.0/24 to 192.168.254.0/24
  std::string pool_first;  // as zone_for_subnet() says
  std::string pool_last;
  std::vector<std::string> dns;
  std::string egress;  // nat
  bool isolated = false;
};

inline constexpr std::size_t kMaxZones = 64;
inline constexpr std::size_t kMaxZoneDns = 8;

// "none" or "nat". Through a router VM is kUnsupported; anything else kInvalidArgument.
Result<Egress> parse_egress(std::string_view text);
// A name of these, or "#rrggbb" (then in small letters): red, orange, yellow, green, blue, purple, grey (also gray),
// black. kInvalidArgument names them.
Result<std::string> parse_colour(std::string_view text);
// What its bridge is called when nobody says otherwise: at most 15 characters.
std::string bridge_for_zone(const std::string& name);

// The zone, without its time. kInvalidArgument names the field; kAlreadyExists: the name or the bridge is another
// zone's; kConflict: its subnet overlaps with another zone's or the host's; kResourceExhausted: no subnet is free, or
// there are too many zones.
Result<Zone> plan_zone(const ZoneWish& wish, const std::vector<Zone>& zones, const std::vector<Cidr>& host_networks);

// kConflict when two of these have overlapping subnets or one bridge; names both.
Status check_apart(const std::vector<Zone>& zones);

}  // namespace skerry
