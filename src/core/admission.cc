#include "core/admission.h"

#include "base/text.h"
#include "core/plan.h"
#include "core/plugin_version.h"
#include "core/state_machine.h"

namespace skerry {

std::string_view to_text(Verb verb) {
  switch (verb) {
    case Verb::kStart: return "start";
    case Verb::kStop: return "stop";
    case Verb::kRestart: return "restart";
    case Verb::kPause: return "pause";
    case Verb::kResume: return "resume";
    case Verb::kSuspend: return "suspend";
    case Verb::kKill: return "kill";
    case Verb::kDelete: return "delete";
    case Verb::kForceDelete: return "delete by force";
    case Verb::kExec: return "run a command in";
    case Verb::kUpdate: return "update";
    case Verb::kSave: return "take a snapshot of";
    case Verb::kRestore: return "restore";
  }
  return "touch";
}

namespace {

// Stopping what does not run and starting what runs is granted: it is so already, and in a restart loop the asker
// cannot know at which moment the command arrives.
bool allowed(const Environment& environment, Verb verb) {
  const State state = environment.status.state;
  if (state == State::kDeleting) return verb == Verb::kForceDelete || verb == Verb::kDelete;
  switch (verb) {
    case Verb::kStart: return state != State::kPaused && state != State::kStopping;
    case Verb::kStop: return true;
    case Verb::kRestart: return state != State::kStopping && state != State::kStarting;
    case Verb::kPause:
    case Verb::kSuspend:
    case Verb::kExec: return state == State::kRunning;
    case Verb::kResume: return state == State::kPaused || state == State::kSuspended;
    case Verb::kKill: return is_alive(state) || restart_due(environment);
    case Verb::kDelete: return !is_alive(state);
    case Verb::kForceDelete: return true;
    case Verb::kSave:
      return state == State::kRunning || state == State::kSuspended || state == State::kStopped ||
             state == State::kFailed;
    case Verb::kRestore:
      return state == State::kCreated || state == State::kSuspended || state == State::kStopped ||
             state == State::kFailed;
    case Verb::kUpdate: {
      // A VM's memory and processors are those it was started with.
      const bool live = environment.spec.isolation == Isolation::kContainer;
      if (state == State::kRunning || state == State::kPaused) return live;
      return state == State::kCreated || state == State::kStopped || state == State::kFailed;
    }
  }
  return false;
}

std::string_view advice(State state, Verb verb) {
  if (state == State::kDeleting) return "it is being deleted";
  switch (verb) {
    case Verb::kDelete: return "stop it first, or delete with --force";
    case Verb::kExec:
    case Verb::kPause:
    case Verb::kSuspend:
      if (state == State::kPaused || state == State::kSuspended) return "resume it first";
      return state == State::kStarting ? "wait until it runs" : "start it first";
    case Verb::kStart: return state == State::kPaused ? "resume it instead" : "wait until it has stopped";
    case Verb::kKill: return "it does not run";
    case Verb::kResume: return "it is not paused";
    case Verb::kRestart: return "wait until it has settled";
    case Verb::kUpdate: return "stop it first: new limits hold from the next start on";
    case Verb::kRestore: return "stop it first";
    case Verb::kSave:
      if (state == State::kPaused) return "resume it first";
      return state == State::kCreated ? "it has never run: there is nothing to keep" : "wait until it has settled";
    case Verb::kStop:
    case Verb::kForceDelete: return {};
  }
  return {};
}

}  // namespace

Status admit(const Environment& environment, Verb verb) {
  const State state = environment.status.state;
  if (allowed(environment, verb)) return {};
  return fail(ErrorCode::kConflict,
              cat("cannot ", to_text(verb), " \"", environment.spec.name, "\": it is ", to_text(state)),
              std::string(advice(state, verb)));
}

Status admit_creation(const EnvironmentSpec& spec, const CreationFacts& facts) {
  TRY(validate(spec));
  if (facts.name_taken) {
    return fail(ErrorCode::kAlreadyExists, cat("name \"", spec.name, "\" is taken"),
                cat("choose another --name or remove it: skerry rm ", spec.name));
  }
  const std::string plugin = to_text(PluginRef{spec.plugin, spec.plugin_version});
  if (!spec.plugin.empty() && !facts.plugin_enabled) {
    return fail(ErrorCode::kNotFound, cat("plugin \"", plugin, "\" is not installed"), "see: skerry plugins list");
  }
  if (!spec.plugin.empty() && !*facts.plugin_enabled) {
    return fail(ErrorCode::kConflict, cat("plugin \"", plugin, "\" is disabled"),
                cat("enable it: skerry plugins enable ", plugin));
  }
  if (!facts.zone_exists) {
    return fail(ErrorCode::kNotFound, cat("zone \"", spec.zone, "\" does not exist"), "see: skerry zones ls");
  }
  if (!facts.isolation_unavailable.empty()) {
    return fail(ErrorCode::kUnsupported, cat("isolation \"", to_text(spec.isolation), "\" cannot run on this host"),
                facts.isolation_unavailable);
  }
  if (!facts.address_free) {
    return fail(ErrorCode::kResourceExhausted, cat("zone \"", spec.zone, "\" has no free address left"),
                "remove environments you no longer need, or widen the zone's pool");
  }
  return admit_memory(spec, facts.memory_promised_mib, facts.memory_total_mib);
}

std::uint64_t promised_memory_mib(const EnvironmentViews& environments, const std::string& but_id) {
  std::uint64_t sum = 0;
  for (const auto& each : environments) {
    const bool counts = each->spec.isolation != Isolation::kContainer && is_alive(each->status.state);
    if (counts && each->id != but_id) sum += each->spec.resources.memory_mib;
  }
  return sum;
}

std::uint64_t spare_memory_mib(const EnvironmentViews& environments, std::uint64_t total_mib) {
  return total_mib - std::min(total_mib, promised_memory_mib(environments, {}));
}

Status admit_memory(const EnvironmentSpec& spec, std::uint64_t promised_mib, std::uint64_t total_mib) {
  if (spec.isolation == Isolation::kContainer || promised_mib + spec.resources.memory_mib <= total_mib) return {};
  return fail(ErrorCode::kResourceExhausted,
              cat("not enough memory: ", spec.resources.memory_mib, " MiB asked, ", promised_mib, " of ", total_mib,
                  " MiB already promised to other VMs"),
              "give it less with --memory, or stop another VM");
}

}  // namespace skerry
