#include "core/net_policy.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
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

// Collects what differs from the default, one pair of groups at a time.
class Passages {
 public:
  Passages(const Policy& policy, const PolicyLookup& lookup)
      : policy_(policy),
        lookup_(lookup),
        ports_{{std::string(kConnect), ports_named(policy, kConnect)},
               {std::string(kEgress), ports_named(policy, kEgress)}} {}

  Status add(std::string_view service, const Group& from, const Group& to, Default otherwise) {
    PolicyRequest request{std::string(service), std::nullopt, from.party, to.party};
    const bool all = passes(policy_, policy_.decide(request, lookup_), to.party, otherwise);
    if (all != (otherwise == Default::kOpen)) TRY(put(all, from, to, std::nullopt));
    for (const auto& argument : ports_.at(request.service)) {
      request.argument = argument;
      const bool one = passes(policy_, policy_.decide(request, lookup_), to.party, otherwise);
      if (one != all) TRY(put(one, from, to, port_of(argument)));
    }
    return {};
  }

  NetPolicy take() {
    std::ranges::sort(out_.allowed);
    std::ranges::sort(out_.denied);
    return std::move(out_);
  }

 private:
  Status put(bool allowed, const Group& from, const Group& to, const std::optional<Passage::Port>& port) {
    const bool outside = to.party.kind == PolicyParty::Kind::kOutside;
    const std::size_t more = from.addresses.size() * (outside ? 1 : to.addresses.size());
    if (more > kMaxPassages - out_.allowed.size() - out_.denied.size()) {
      return fail(ErrorCode::kResourceExhausted,
                  cat("the policy opens or closes more than ", kMaxPassages, " passages"),
                  "let its rules of net.connect and net.egress name fewer ports, or fewer environments");
    }
    auto& into = allowed ? out_.allowed : out_.denied;
    for (const auto source : from.addresses) {
      if (outside) into.push_back({source, std::nullopt, port});
      for (const auto target : to.addresses) into.push_back({source, target, port});
    }
    return {};
  }

  const Policy& policy_;
  const PolicyLookup& lookup_;
  const std::map<std::string, std::set<std::string>> ports_;
  NetPolicy out_;
};

Default egress_of(const std::vector<Zone>& zones, const std::string& name) {
  const auto zone = std::ranges::find(zones, name, &Zone::name);
  return zone != zones.end() && zone->egress == Egress::kNat ? Default::kOpen : Default::kClosed;
}

}  // namespace

Result<NetPolicy> net_policy(const Policy& policy, const EnvironmentViews& environments,
                             const std::vector<Zone>& zones) {
  const bool connects = speaks_of(policy, kConnect) && policy.problems().empty();
  const bool leaves = speaks_of(policy, kEgress) || !policy.problems().empty();
  if (!connects && !leaves) return NetPolicy{};
  const PolicyLookup lookup = [&](const std::string& name) -> std::optional<PolicyParty> {
    const auto found = std::ranges::find(environments, name, [](const auto& each) { return each->spec.name; });
    if (found == environments.end()) return std::nullopt;
    return PolicyParty::of((*found)->spec);
  };
  const Group outside{PolicyParty::outside(), {}};
  Passages passages(policy, lookup);
  if (leaves) {
    // One that has just ended may still be there, and what it is denied must be: that costs one passage each.
    for (const auto& from : TRY(groups_of(policy, environments, has_run))) {
      TRY(passages.add(kEgress, from, outside, egress_of(zones, from.party.zone)));
    }
  }
  if (connects) {
    // Pairs: whoever makes environments and never starts them must not use up those of all.
    const auto groups = TRY(groups_of(policy, environments, may_run));
    for (const auto& from : groups) {
      for (const auto& to : groups) {
        if (from.party.zone != to.party.zone) TRY(passages.add(kConnect, from, to, Default::kClosed));
      }
    }
  }
  return passages.take();
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
