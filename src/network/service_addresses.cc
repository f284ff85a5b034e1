#include "network/service_addresses.h"

#include <algorithm>
#include <iterator>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "network/link.h"

namespace skerry::network {
namespace {

constexpr std::uint8_t kHostPrefix = 32;

}  // namespace

Result<std::set<Ipv4>> ServiceAddresses::recorded() {
  std::set<Ipv4> out;
  if (!sys::exists(file_)) return out;
  const std::string text = TRY(read_file(file_));
  for (const auto line : split(text, '\n')) {
    // A line that is none was not written by us: there is nothing of ours to remember.
    if (const auto address = Ipv4::parse(line)) out.insert(*address);
  }
  return out;
}

Status ServiceAddresses::record(const std::set<Ipv4>& addresses) {
  if (addresses.empty()) return sys::exists(file_) ? sys::unlink(file_) : Status();
  std::string text;
  for (const auto& each : addresses) text += cat(each.text(), '\n');
  return write_file_atomic(file_, text, 0600);
}

Status ServiceAddresses::drop_others(const std::string& bridge, const std::set<Ipv4>& wanted) {
  const auto known = TRY(recorded());
  if (std::ranges::includes(wanted, known)) return {};
  auto netlink = TRY(Netlink::open());
  const auto link = TRY(find_link(netlink, bridge));
  for (const auto& each : known) {
    if (wanted.contains(each)) continue;
    held_.erase(each);
    if (link) TRY(remove_address(netlink, link->index, {each, kHostPrefix}));
  }
  std::set<Ipv4> kept;
  std::ranges::set_intersection(known, wanted, std::inserter(kept, kept.end()));
  return record(kept);
}

Status ServiceAddresses::hold(const std::string& bridge, const std::set<Ipv4>& wanted) {
  if (wanted == held_) return {};
  TRY(record(wanted));
  auto netlink = TRY(Netlink::open());
  const auto link = TRY(find_link(netlink, bridge));
  if (!link) return fail(ErrorCode::kNotFound, cat("bridge ", bridge, " is not there"));
  for (const auto& each : wanted) TRY(add_address(netlink, link->index, {each, kHostPrefix}));
  held_ = wanted;
  return {};
}

Status check_not_of_host(Ipv4 address) {
  auto netlink = TRY(Netlink::open());
  for (const auto& each : TRY(list_addresses(netlink))) {
    if (each.address.address != address) continue;
    return fail(ErrorCode::kConflict, cat("service.address: ", address.text(), " is an address of this host"),
                "choose one that no machine has, or none: then one is chosen");
  }
  return {};
}

}  // namespace skerry::network
