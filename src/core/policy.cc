#include "core/policy.h"

#include <algorithm>

#include "base/text.h"

namespace skerry {

std::string_view to_text(PolicyAnswer value) {
  switch (value) {
    case PolicyAnswer::kAllow: return "allow";
    case PolicyAnswer::kAsk: return "ask";
    case PolicyAnswer::kDeny: break;
  }
  return "deny";
}

std::string to_text(const PolicyPattern& pattern) {
  using Form = PolicyPattern::Kind;
  switch (pattern.kind) {
    case Form::kName: return pattern.value;
    case Form::kZone: return cat("@zone:", pattern.value);
    case Form::kKind: return cat("@kind:", pattern.value);
    case Form::kIsolation: return cat("@isolation:", pattern.value);
    case Form::kTag: return cat("@tag:", pattern.value);
    case Form::kAny: return "@any";
    case Form::kNewDisposable: return "@dispvm";
    case Form::kHost: return "@host";
  }
  return {};
}

std::string to_text(const PolicyRule& rule) {
  std::string out = cat(rule.service, " ", rule.argument ? cat("+", *rule.argument) : "*", " ", to_text(rule.source),
                        " ", to_text(rule.target), " ", to_text(rule.answer));
  if (!rule.redirect.empty()) out += cat(" target=", rule.redirect);
  if (!rule.user.empty()) out += cat(" user=", rule.user);
  if (rule.notify) out += " notify=yes";
  return out;
}

std::string to_text(const PolicyProblem& problem) {
  std::string out = problem.file;
  if (problem.line > 0) out += cat(":", problem.line);
  if (problem.column > 0) out += cat(":", problem.column);
  return cat(out, ": ", problem.what);
}

PolicyParty PolicyParty::of(const EnvironmentSpec& spec) {
  return {Kind::kEnvironment, spec.name, spec.zone, spec.kind, spec.isolation, spec.labels};
}

std::optional<PolicyParty> party_of_word(std::string_view word) {
  if (word == "@host") return PolicyParty::host();
  if (word == "@dispvm") return PolicyParty::new_disposable();
  if (word == "@any") return PolicyParty::outside();
  return std::nullopt;
}

namespace {

bool has_tag(const PolicyParty& party, const std::string& tag) {
  if (party.labels.contains(tag)) return true;
  const auto equals = tag.find('=');
  if (equals == std::string::npos) return false;
  const auto found = party.labels.find(tag.substr(0, equals));
  return found != party.labels.end() && found->second == tag.substr(equals + 1);
}

// "NAME" or "ZONE/NAME".
bool is_named(const PolicyParty& party, std::string_view wanted) {
  const auto slash = wanted.find('/');
  if (slash == std::string_view::npos) return party.name == wanted;
  return party.zone == wanted.substr(0, slash) && party.name == wanted.substr(slash + 1);
}

}  // namespace

bool matches(const PolicyPattern& pattern, const PolicyParty& party) {
  using Form = PolicyPattern::Kind;
  const bool environment = party.kind == PolicyParty::Kind::kEnvironment;
  const bool disposable = party.kind == PolicyParty::Kind::kNewDisposable;
  switch (pattern.kind) {
    case Form::kName: return environment && is_named(party, pattern.value);
    case Form::kZone: return environment && party.zone == pattern.value;
    case Form::kKind: return (environment || disposable) && to_text(party.life) == pattern.value;
    case Form::kIsolation: return environment && to_text(party.isolation) == pattern.value;
    case Form::kTag: return environment && has_tag(party, pattern.value);
    case Form::kAny: return party.kind != PolicyParty::Kind::kHost;
    case Form::kNewDisposable: return disposable;
    case Form::kHost: return party.kind == PolicyParty::Kind::kHost;
  }
  return false;
}

bool matches(const PolicyRule& rule, std::string_view service, const std::optional<std::string>& argument) {
  return rule.service == service && (!rule.argument || rule.argument == argument);
}

namespace {

std::string why_not(const PolicyRule& rule, const PolicyRequest& request, const PolicyParty& target) {
  if (rule.service != request.service) return "another service";
  if (!matches(rule, request.service, request.argument)) return "another argument";
  if (!matches(rule.source, request.source)) return "another source";
  if (!matches(rule.target, target)) return "another target";
  return {};
}

}  // namespace

// One turn for each redirection. A rule that sends to where it is sent already has arrived.
PolicyDecision Policy::decide(const PolicyRequest& request, const PolicyLookup& lookup) const {
  PolicyDecision decision;
  PolicyParty target = request.target;
  for (int turn = 0; turn <= kMaxPolicyRedirects; ++turn) {
    decision.target = target.name;
    decision.rule.reset();
    for (std::size_t i = 0; i < rules_.size() && !decision.rule; ++i) {
      decision.steps.push_back({i, why_not(rules_[i], request, target)});
      if (decision.steps.back().why.empty()) decision.rule = i;
    }
    if (decision.rule && rules_[*decision.rule].answer == PolicyAnswer::kDeny) {
      decision.reason = "a rule denies it";
      return decision;
    }
    if (!problems_.empty()) {
      decision.rule.reset();
      decision.reason =
          cat("the policy is malformed, and until it is not nothing is allowed: ", to_text(problems_.front()));
      return decision;
    }
    if (!decision.rule) {
      decision.reason = kNoRuleMatches;
      return decision;
    }
    const PolicyRule& rule = rules_[*decision.rule];
    if (rule.redirect.empty() || rule.redirect == target.name) {
      decision.answer = rule.answer;
      decision.user = rule.user;
      decision.notify = rule.notify;
      decision.reason = rule.answer == PolicyAnswer::kAsk ? "a rule wants somebody to be asked" : "a rule allows it";
      return decision;
    }
    auto next = party_of_word(rule.redirect);
    if (!next) next = lookup(rule.redirect);
    if (!next) {
      decision.reason = cat("a rule sends it to \"", rule.redirect, "\", which does not exist");
      return decision;
    }
    target = std::move(*next);
  }
  decision.rule.reset();
  decision.reason = "rules send it on and on";
  return decision;
}

}  // namespace skerry
