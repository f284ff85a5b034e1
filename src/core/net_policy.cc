#include "core/net_policy.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "core/crossings.h"
#include "core/state_machine.h"

namespace skerry {
namespace {

constexpr std::string_view kConnect = "net.connect";
constexpr std::string_view kEgress = "net.egress";

// The ports that any rule of the service names: for all others rules only differ by "*".
std::set<std::string> ports_named(const Policy& policy, std::string_view service) {
  std::set<std::string> ports;
  for (const auto& rule : policy.rules()) {
    if (rule.service == service && rule.argument) ports.insert(*rule.argument);
  }
  return ports;
}

bool speaks_of(const Policy& policy, std::string_view service) {
  return std::ranges::any_of(policy.rules(), [&](const PolicyRule& rule) { return rule.service == service; });
}

// What rules say of environments, but for what every one has (a zone, a kind, an isolation).
std::vector<PolicyPattern> patterns_named(const Policy& policy) {
  std::map<std::string, PolicyPattern> found;
  const auto add = [&](const PolicyPattern& pattern) { found.emplace(to_text(pattern), pattern); };
  for (const auto& rule : policy.rules()) {
    for (const auto* pattern : {&rule.source, &rule.target}) {
      if (pattern->kind == PolicyPattern::Kind::kName || pattern->kind == PolicyPattern::Kind::kTag) add(*pattern);
    }
    if (!rule.redirect.empty()) add({PolicyPattern::Kind::kName, rule.redirect});
  }
  std::vector<PolicyPattern> out;
  out.reserve(found.size());
  for (auto& [text, pattern] : found) out.push_back(std::move(pattern));
  return out;
}

Passage::Port port_of(const std::string& argument) {
  const auto number = parse_int<std::uint16_t>(std::string_view(argument).substr(4), "port");
  return {argument.starts_with("udp") ? Protocol::kUdp : Protocol::kTcp, number.value_or(0)};
}

// Environments that no rule can tell apart.
struct Group {
  PolicyParty party;  // of one of them
  std::vector<Ipv4> addresses;
};

// Nothing of what a tenant writes stands in it: labels that no rule asks for tell nobody apart.
std::string key_of(const PolicyParty& party, const std::vector<PolicyPattern>& patterns) {
  std::string key = cat(party.zone, " ", to_text(party.life), " ", to_text(party.isolation), " ");
  for (const auto& pattern : patterns) key += matches(pattern, party) ? '1' : '0';
  return key;
}

// Whether packets of it may be on their way.
bool may_run(const Environment& environment) {
  return is_alive(environment.status.state) || environment.status.state == State::kDeleting;
}
bool has_run(const Environment& environment) { return environment.status.state != State::kCreated; }

Result<std::vector<Group>> groups_of(const Policy& policy, const EnvironmentViews& environments,
                                     bool (*counts)(const Environment&)) {
  const auto patterns = patterns_named(policy);
  std::map<std::string, Group> groups;
  for (const auto& each : environments) {
    if (each->ip.empty() || !counts(*each)) continue;
    auto party = PolicyParty::of(each->spec);
    auto& group = groups[key_of(party, patterns)];
    if (group.addresses.empty()) group.party = std::move(party);
    group.addresses.push_back(TRY(Ipv4::parse(each->ip)));
  }
  std::vector<Group> out;
  out.reserve(groups.size());
  for (auto& [key, group] : groups) out.push_back(std::move(group));
  return out;
}

enum class Default : std::uint8_t { kClosed, kOpen };

// Whether packets pass: what the rules say, or when they say nothing, the default.
bool passes(const Policy& policy, const PolicyDecision& decision, const PolicyParty& target, Default otherwise) {
  if (!policy.problems().empty()) return false;
  if (!decision.rule && decision.reason == kNoRuleMatches) return otherwise == Default::kOpen;
  return decision.answer == PolicyAnswer::kAllow && decision.target == target.name;
}

// Collects what differs from the default, one pair of groups at a time, and makes it addresses once it is known what
// fits. The groups outlive it.
class Passages {
 public:
  Passages(const Policy& policy, const PolicyLookup& lookup)
      : policy_(policy),
        lookup_(lookup),
        ports_{{std::string(kConnect), ports_named(policy, kConnect)},
               {std::string(kEgress), ports_named(policy, kEgress)}} {}

  void add(std::string_view service, const Group& from, const Group& to, Default otherwise) {
    auto& crossing = crossings_[{from.party.zone, to.party.zone}];
    if (otherwise == Default::kOpen) crossing.leaving.push_back(&from);
    PolicyRequest request{std::string(service), std::nullopt, from.party, to.party};
    const bool all = passes(policy_, policy_.decide(request, lookup_), to.party, otherwise);
    if (all != (otherwise == Default::kOpen)) crossing.put({all, &from, &to, std::nullopt});
    for (const auto& argument : ports_.at(request.service)) {
      request.argument = argument;
      const bool one = passes(policy_, policy_.decide(request, lookup_), to.party, otherwise);
      if (one != all) crossing.put({one, &from, &to, port_of(argument)});
    }
  }

  BoundedNetPolicy take() {
    BoundedNetPolicy out;
    out.closed = close_what_does_not_fit();
    for (const auto& [zones, crossing] : crossings_) crossing.append_to(out.policy);
    std::ranges::sort(out.policy.allowed);
    std::ranges::sort(out.policy.denied);
    return out;
  }

 private:
  struct Entry {
    bool allowed = false;
    const Group* from = nullptr;
    const Group* to = nullptr;
    std::optional<Passage::Port> port;
  };
  struct Bundle {
    std::vector<Entry> entries;
    std::vector<const Group*> leaving;  // what has to be denied all where it is closed: it is open by itself
    std::size_t size = 0;               // passages
    bool closed = false;

    void put(Entry entry) {
      size += entry.from->addresses.size() * std::max<std::size_t>(entry.to->addresses.size(), 1);
      entries.push_back(entry);
    }
    void append_to(NetPolicy& out) const {
      if (closed) {
        for (const auto* group : leaving) {
          for (const auto source : group->addresses) out.denied.push_back({source, std::nullopt, std::nullopt});
        }
        return;
      }
      for (const auto& entry : entries) {
        auto& into = entry.allowed ? out.allowed : out.denied;
        for (const auto source : entry.from->addresses) {
          if (entry.to->addresses.empty()) into.push_back({source, std::nullopt, entry.port});
          for (const auto target : entry.to->addresses) into.push_back({source, target, entry.port});
        }
      }
    }
  };

  std::vector<Crossing> close_what_does_not_fit() {
    std::size_t total = 0;
    for (const auto& [zones, crossing] : crossings_) total += crossing.size;
    std::vector<Crossing> closed;
    while (total > kMaxPassages) {
      const auto largest = std::ranges::max_element(
          crossings_, {}, [](const auto& each) { return each.second.closed ? 0 : each.second.size; });
      total -= largest->second.size;
      largest->second.closed = true;
      closed.push_back({largest->first.first, largest->first.second, largest->second.size});
    }
    return closed;
  }

  const Policy& policy_;
  const PolicyLookup& lookup_;
  const std::map<std::string, std::set<std::string>> ports_;
  std::map<std::pair<std::string, std::string>, Bundle> crossings_;  // by zones; beyond the host is ""
};

Default egress_of(const std::vector<Zone>& zones, const std::string& name) {
  const auto zone = std::ranges::find(zones, name, &Zone::name);
  return zone != zones.end() && zone->egress == Egress::kNat ? Default::kOpen : Default::kClosed;
}

}  // namespace

Result<NetPolicy> net_policy(const Policy& policy, const EnvironmentViews& environments,
                             const std::vector<Zone>& zones) {
  return std::move(TRY(bounded_net_policy(policy, environments, zones)).policy);
}

Result<BoundedNetPolicy> bounded_net_policy(const Policy& policy, const EnvironmentViews& environments,
                                            const std::vector<Zone>& zones) {
  const bool connects = speaks_of(policy, kConnect) && policy.problems().empty();
  const bool leaves = speaks_of(policy, kEgress) || !policy.problems().empty();
  if (!connects && !leaves) return BoundedNetPolicy{};
  const PolicyLookup lookup = [&](const std::string& name) -> std::optional<PolicyParty> {
    const auto found = std::ranges::find(environments, name, [](const auto& each) { return each->spec.name; });
    if (found == environments.end()) return std::nullopt;
    return PolicyParty::of((*found)->spec);
  };
  const Group outside{PolicyParty::outside(), {}};
  // One that has just ended may still be there, and what it is denied must be: that costs one passage each.
  const auto leaving = TRY(groups_of(policy, environments, has_run));
  // Pairs: what is made and never started does not count.
  const auto running = TRY(groups_of(policy, environments, may_run));
  Passages passages(policy, lookup);
  if (leaves) {
    for (const auto& from : leaving) passages.add(kEgress, from, outside, egress_of(zones, from.party.zone));
  }
  if (connects) {
    for (const auto& from : running) {
      for (const auto& to : running) {
        if (from.party.zone != to.party.zone) passages.add(kConnect, from, to, Default::kClosed);
      }
    }
  }
  return passages.take();
}

std::string to_text(const Crossing& crossing) {
  return cat(crossing.to.empty() ? "out of zone \"" : "from zone \"", crossing.from, "\"",
             crossing.to.empty() ? std::string() : cat(" to zone \"", crossing.to, "\""), " (", crossing.passages,
             " passages)");
}

PolicyDecision decide_in_bounds(PolicyDecision decision, const PolicyRequest& request,
                                const std::vector<Crossing>& closed) {
  if (decision.answer != PolicyAnswer::kAllow) return decision;
  const bool network = request.service == kConnect || request.service == kEgress;
  const auto crossing = std::ranges::find_if(
      closed, [&](const Crossing& each) { return each.from == request.source.zone && each.to == request.target.zone; });
  if (!network || request.source.kind != PolicyParty::Kind::kEnvironment || crossing == closed.end()) return decision;
  decision.answer = PolicyAnswer::kDeny;
  decision.target = request.target.name;
  decision.reason = cat("the rules allow it, but all zones' passages are more than the ", kMaxPassages,
                        " that are loaded, and what goes ", to_text(*crossing),
                        " is among the largest: it is closed until fewer environments run there, or the rules name "
                        "fewer ports");
  return decision;
}

NetPolicy closed_net_policy(const EnvironmentViews& environments) {
  NetPolicy out;
  for (const auto& each : environments) {
    if (const auto address = Ipv4::parse(each->ip); address)
      out.denied.push_back({*address, std::nullopt, std::nullopt});
  }
  std::ranges::sort(out.denied);
  return out;
}

PolicyDecision decide_with_zones(const Policy& policy, const PolicyRequest& request, const std::vector<Zone>& zones,
                                 const PolicyLookup& lookup) {
  const bool both =
      request.source.kind == PolicyParty::Kind::kEnvironment && request.target.kind == PolicyParty::Kind::kEnvironment;
  if (request.service == kConnect && both && request.source.zone == request.target.zone) {
    PolicyDecision decision;
    decision.target = request.target.name;
    const auto zone = std::ranges::find(zones, request.source.zone, &Zone::name);
    const bool isolated = zone != zones.end() && zone->isolated;
    decision.answer = isolated ? PolicyAnswer::kDeny : PolicyAnswer::kAllow;
    decision.reason = cat("both are in zone \"", request.source.zone, "\", ",
                          isolated ? "whose environments are isolated from each other" : "where no rule is asked");
    return decision;
  }
  auto decision = policy.decide(request, lookup);
  if (request.service == kEgress && decision.reason == kNoRuleMatches &&
      egress_of(zones, request.source.zone) == Default::kOpen) {
    decision.answer = PolicyAnswer::kAllow;
    decision.reason = cat("no rule matches, and zone \"", request.source.zone, "\" has egress nat");
  }
  return decision;
}

}  // namespace skerry
