// skerry start, stop, restart, pause, resume, suspend, switch, kill, rm, wait, update: each on one or several
// environments.
#include "base/text.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "wire/json_writer.h"
#include "wire/spec_texts.h"

namespace skerry::cli {
namespace {

// Every target is tried, also after one that failed; the answer is the last failure's exit code.
template <typename Each>
Outcome for_each(const TargetOptions& options, Each each) {
  int code = kExitSuccess;
  for (const auto& name : options.names) {
    if (auto done = each(name); !done) {
      complain(done.error());
      code = exit_code_of(done.error());
    }
  }
  return code;
}

std::string target_path(Scope scope, const std::string& name) { return cat(path_of(scope), "/", escape(name)); }

// What a successful verb says: the name, for scripts to go on with; the document when asked.
Status report(const Session& session, const std::string& name, const std::string& body) {
  if (session.settings.output == OutputForm::kJson && !body.empty()) {
    return print_json(TRY(wire::JsonNode::parse(body)));
  }
  return print_done(session, name);
}

std::string grace_body(std::uint32_t grace_ms) {
  wire::JsonWriter json;
  json.begin_object().field("grace_ms", grace_ms).end_object();
  return std::move(json).text();
}

}  // namespace

Outcome act(const Session& session, const TargetOptions& options, std::string_view verb) {
  const bool graceful = verb == "stop" || verb == "restart";
  return for_each(options, [&](const std::string& name) -> Status {
    const auto path = cat(target_path(options.scope, name), "/", verb);
    const std::string body = graceful ? grace_body(options.grace_ms) : options.wait ? R"({"wait":true})" : "";
    const auto answer = TRY(session.http.expect("POST", path, body));
    return report(session, name, answer.body);
  });
}

namespace {

// "start" for what does not run, "resume" for what is frozen; "" when it runs already.
Result<std::string_view> verb_to_go_on(const Session& session, const std::string& path) {
  const auto state = TRY(wire::JsonNode::parse(TRY(session.http.expect("GET", path)).body)).text("state");
  if (state == "running" || state == "starting") return "";
  return state == "paused" || state == "suspended" ? "resume" : "start";
}

}  // namespace

Outcome switch_over(const Session& session, const SwitchOptions& options) {
  if (options.from == options.to) {
    return fail(ErrorCode::kInvalidArgument, cat("switch from ", options.from, " to itself"));
  }
  const auto from = target_path(options.scope, options.from);
  const auto to = target_path(options.scope, options.to);
  // Asked before anything is frozen: a name that is mistyped changes nothing.
  const auto verb = TRY(verb_to_go_on(session, to));
  TRY(session.http.expect("POST", cat(from, options.suspend ? "/suspend" : "/pause")));
  std::string answer;
  if (!verb.empty()) {
    auto went_on = session.http.expect("POST", cat(to, "/", verb));
    if (!went_on) {
      if (const auto back = session.http.expect("POST", from + "/resume"); !back) complain(back.error());
      return fail(std::move(went_on).error());
    }
    answer = std::move(went_on->body);
  }
  TRY(report(session, options.to, answer));
  return kExitSuccess;
}

Outcome kill(const Session& session, const TargetOptions& options) {
  wire::JsonWriter json;
  json.begin_object().field("signal", options.signal).end_object();
  const std::string body = std::move(json).text();
  return for_each(options, [&](const std::string& name) -> Status {
    const auto answer = TRY(session.http.expect("POST", target_path(options.scope, name) + "/kill", body));
    return report(session, name, answer.body);
  });
}

Outcome remove(const Session& session, const TargetOptions& options) {
  return for_each(options, [&](const std::string& name) -> Status {
    const auto query = cat("?grace_ms=", options.grace_ms, options.force ? "&force=1" : "");
    TRY(session.http.expect("DELETE", target_path(options.scope, name) + query));
    return print_done(session, name);
  });
}

Outcome wait(const Session& session, const TargetOptions& options) {
  return for_each(options, [&](const std::string& name) -> Status {
    const auto answer = TRY(session.http.expect("POST", target_path(options.scope, name) + "/wait"));
    const auto json = TRY(wire::JsonNode::parse(answer.body));
    if (session.settings.output == OutputForm::kJson) return print_json(json);
    const auto& code = json.at("exit_code");
    TRY(print(cat(code.is_null() ? "-" : code.text(), "\n")));
    if (!code.is_null()) return {};
    const auto reason = json.text("reason");
    return fail(ErrorCode::kUnavailable, cat(name, ": no exit status is known", reason.empty() ? "" : ": ", reason));
  });
}

Outcome update(const Session& session, const UpdateOptions& options) {
  wire::JsonWriter json;
  json.begin_object();
  if (options.cpu) json.field("cpu_cores", TRY_IN("--cpu", wire::parse_cores(*options.cpu)) / 1000.0);
  if (options.memory_mb) json.field("memory_mb", *options.memory_mb);
  if (options.pids) json.field("pids", *options.pids);
  json.end_object();
  const auto answer =
      TRY(session.http.expect("PATCH", target_path(options.scope, options.name), std::move(json).text()));
  TRY(report(session, options.name, answer.body));
  return kExitSuccess;
}

}  // namespace skerry::cli
