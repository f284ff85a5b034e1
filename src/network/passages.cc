#include "network/passages.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "base/text.h"

namespace skerry::network {
namespace {

// The key of each set's packets.
constexpr std::string_view kCrossPort = "ip saddr . ip daddr . meta l4proto . th dport";
constexpr std::string_view kCrossAll = "meta l4proto { tcp, udp } ip saddr . ip daddr";
constexpr std::string_view kLeavePort = "ip saddr . meta l4proto . th dport";
constexpr std::string_view kLeaveAll = "meta l4proto { tcp, udp } ip saddr";

std::string set_of(const Passage& passage, std::string_view verdict) {
  return cat(passage.target ? "cross_" : "leave_", passage.port ? "port_" : "all_", verdict);
}

std::string element_of(const Passage& passage) {
  std::string out = passage.source.text();
  if (passage.target) out += cat(" . ", passage.target->text());
  if (passage.port) out += cat(" . ", to_text(passage.port->protocol), " . ", passage.port->number);
  return out;
}

// Elements of `base` that `other` does not have, by set.
void collect(std::map<std::string, std::vector<std::string>>& out, const std::vector<Passage>& base,
             const std::vector<Passage>& other, std::string_view verdict) {
  std::vector<Passage> missing;
  std::ranges::set_difference(base, other, std::back_inserter(missing));
  for (const auto& each : missing) out[set_of(each, verdict)].push_back(element_of(each));
}

std::string commands(const std::string& table, std::string_view verb, const NetPolicy& base, const NetPolicy& other) {
  std::map<std::string, std::vector<std::string>> sets;
  collect(sets, base.allowed, other.allowed, "allowed");
  collect(sets, base.denied, other.denied, "denied");
  std::string out;
  for (const auto& [set, elements] : sets) {
    out += cat(verb, " element inet ", table, ' ', set, " { ", join(elements, ", "), " }\n");
  }
  return out;
}

}  // namespace

std::vector<std::string> passage_collections() {
  return {"set cross_port_allowed { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }",
          "set cross_port_denied { type ipv4_addr . ipv4_addr . inet_proto . inet_service; }",
          "set cross_all_allowed { type ipv4_addr . ipv4_addr; }",
          "set leave_port_allowed { type ipv4_addr . inet_proto . inet_service; }",
          "set leave_port_denied { type ipv4_addr . inet_proto . inet_service; }",
          "set leave_all_allowed { type ipv4_addr; }",
          "set leave_all_denied { type ipv4_addr; }"};
}

std::vector<std::string> crossing_rules() {
  return {cat(kCrossPort, " @cross_port_denied drop"), cat(kCrossPort, " @cross_port_allowed accept"),
          cat(kCrossAll, " @cross_all_allowed accept"), "drop"};
}

std::vector<std::string> leaving_rules() {
  constexpr std::string_view kReject = "reject with icmpx admin-prohibited";
  return {cat(kLeavePort, " @leave_port_denied ", kReject), cat(kLeavePort, " @leave_port_allowed accept"),
          cat(kLeaveAll, " @leave_all_allowed accept"), cat("ip saddr @leave_all_denied ", kReject)};
}

std::vector<std::string> passage_nat_rules() {
  return {cat("oifname != @bridges ", kLeavePort, " @leave_port_allowed masquerade"),
          cat("oifname != @bridges ", kLeaveAll, " @leave_all_allowed masquerade")};
}

std::string passage_commands(const std::string& table, const NetPolicy& from, const NetPolicy& to) {
  return commands(table, "delete", from, to) + commands(table, "add", to, from);
}

}  // namespace skerry::network
