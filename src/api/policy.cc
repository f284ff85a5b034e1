// /api/v1/policy: the rules that hold, what stands in their files now, and why somebody may or may not.
#include "api/find.h"
#include "api/handlers.h"
#include "base/text.h"
#include "control/policy_book.h"
#include "core/crossings.h"
#include "wire/json_writer.h"

namespace skerry::api {
namespace {

void write_place(wire::JsonWriter& json, const PolicyRule& rule) {
  json.field("file", rule.file).field("line", rule.line).field("rule", to_text(rule));
}

void write_rule(wire::JsonWriter& json, const PolicyRule& rule) {
  json.begin_object();
  write_place(json, rule);
  json.field("service", rule.service)
      .field("argument", rule.argument ? cat("+", *rule.argument) : std::string("*"))
      .field("source", to_text(rule.source))
      .field("target", to_text(rule.target))
      .field("answer", to_text(rule.answer))
      .end_object();
}

void write_problems(wire::JsonWriter& json, const Policy& policy) {
  json.key("problems").begin_array();
  for (const auto& each : policy.problems()) {
    json.begin_object()
        .field("file", each.file)
        .field("line", each.line)
        .field("column", each.column)
        .field("what", each.what)
        .field("text", to_text(each))
        .end_object();
  }
  json.end_array();
}

// Rules and their files, as one document.
Response policy_response(const Policy& policy, const std::string& directory, WallTime read_at) {
  wire::JsonWriter json;
  json.begin_object()
      .field("directory", directory)
      .field("read_at", to_rfc3339(read_at))
      .field("malformed", !policy.problems().empty())
      .field("files", policy.files());
  write_problems(json, policy);
  json.key("rules").begin_array();
  for (const auto& each : policy.rules()) write_rule(json, each);
  json.end_array().end_object();
  return json_response(std::move(json).text());
}

Result<std::string> asked(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  if (found != request.query.end() && !found->second.empty()) return found->second;
  return fail(ErrorCode::kInvalidArgument, cat("query ", name, ": is missing"));
}

std::optional<PolicyParty> environment_named(Context& context, const std::string& name) {
  for (const auto& each : context.ports.controller.views()) {
    if (each->spec.name == name) return PolicyParty::of(each->spec);
  }
  return std::nullopt;
}

// kNotFound also for an environment in a zone that is not the caller's.
Result<PolicyParty> party(Context& context, const Request& request, const std::string& word) {
  if (auto known = party_of_word(word)) return *known;
  auto found = environment_named(context, word);
  if (found && request.caller.may_touch_zone(found->zone)) return *found;
  return fail(ErrorCode::kNotFound, cat("environment \"", word, "\" does not exist"),
              "see: skerry ls; besides there are @host, @dispvm and, for net.egress, @any");
}

Result<PolicyRequest> question(Context& context, const Request& request) {
  PolicyRequest out;
  out.service = TRY(asked(request, "service"));
  std::string argument;
  if (const auto given = request.query.find("argument"); given != request.query.end()) argument = given->second;
  // "net.connect+tcp:80" in one word.
  if (const auto plus = out.service.find('+'); plus != std::string::npos && argument.empty()) {
    argument = out.service.substr(plus);
    out.service.resize(plus);
  }
  if (!is_policy_service(out.service)) {
    return fail(ErrorCode::kInvalidArgument, cat("query service: \"", out.service.substr(0, 64), "\" is no service"));
  }
  if (argument.starts_with('+')) argument.erase(0, 1);
  if (!argument.empty() && argument != "*") {
    TRY_IN("query argument", check_policy_argument(out.service, argument));
    out.argument = argument;
  }
  out.source = TRY(party(context, request, TRY(asked(request, "source"))));
  out.target = TRY(party(context, request, TRY(asked(request, "target"))));
  return out;
}

// Of services that nothing of Skerry asks for yet the answer is told, and that is all. Packets go where they are sent:
// what a rule sends elsewhere does not pass.
bool is_enforced(const PolicyRequest& request, const PolicyDecision& decision) {
  if (decision.answer != PolicyAnswer::kDeny && decision.target != request.target.name) return false;
  if (request.source.kind != PolicyParty::Kind::kEnvironment) return false;
  if (request.service == "net.connect") return request.target.kind == PolicyParty::Kind::kEnvironment;
  return request.service == "net.egress" && request.target.kind == PolicyParty::Kind::kOutside;
}

// The first problem quotes a word of its file, which is not for callers of a few zones.
std::string reason_for(const Caller& caller, const Policy& policy, const PolicyDecision& decision) {
  if (caller.zones.empty() || policy.problems().empty()) return decision.reason;
  if (!decision.reason.ends_with(to_text(policy.problems().front()))) return decision.reason;
  return "the policy is malformed, and until it is not nothing is allowed";
}

void write_decision(wire::JsonWriter& json, const Policy& policy, const PolicyRequest& asked,
                    const PolicyDecision& decision, const Caller& caller) {
  json.begin_object()
      .field("answer", to_text(decision.answer))
      .field("reason", reason_for(caller, policy, decision))
      .field("enforced", is_enforced(asked, decision))
      .field("service", asked.service)
      .field("argument", asked.argument ? cat("+", *asked.argument) : std::string("*"))
      .field("source", asked.source.name)
      .field("target", asked.target.name)
      .field("goes_to", decision.target)
      .field("user", decision.user)
      .field("notify", decision.notify);
  json.key("decided_by");
  if (decision.rule) {
    json.begin_object();
    write_place(json, policy.rules()[*decision.rule]);
    json.end_object();
  } else {
    json.null();
  }
  // What the rules say of others is not for callers of a few zones.
  json.key("passed").begin_array();
  for (const auto& step : decision.steps) {
    if (step.why.empty() || !caller.zones.empty()) continue;
    json.begin_object();
    write_place(json, policy.rules()[step.rule]);
    json.field("why", step.why).end_object();
  }
  json.end_array().end_object();
}

}  // namespace

Result<Response> show_policy(Context& context, const Request& /*request*/) {
  const auto edition = context.ports.policy.edition();
  return policy_response(*edition.policy, context.ports.policy.directory(), edition.read_at);
}

Result<Response> check_policy(Context& context, const Request& /*request*/) {
  const auto& book = context.ports.policy;
  return policy_response(book.look(), book.directory(), context.ports.clock.now());
}

Result<Response> reload_policy(Context& context, const Request& request) {
  TRY(context.ports.policy.reload());
  return show_policy(context, request);
}

Result<Response> explain_policy(Context& context, const Request& request) {
  const auto edition = context.ports.policy.edition();
  const auto asked = TRY(question(context, request));
  const auto zones = context.ports.zones.list();
  const auto bounded = TRY(bounded_net_policy(*edition.policy, context.ports.controller.views(), zones));
  const auto decision =
      decide_in_bounds(decide_with_zones(*edition.policy, asked, zones,
                                         [&](const std::string& name) { return environment_named(context, name); }),
                       asked, bounded.closed);
  wire::JsonWriter json;
  write_decision(json, *edition.policy, asked, decision, request.caller);
  return json_response(std::move(json).text());
}

}  // namespace skerry::api
