// Admission: whether a command may be carried out now. Pure: the facts come in as values, the answer is yes or an Error
// whose message a newcomer can act on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/command.h"
#include "core/environment.h"

namespace skerry {

// May `verb` be asked of an environment in this state? The error is kConflict and says what to do instead.
Status admit(const Environment& environment, Verb verb);

// What creation depends on, besides the specification itself.
struct CreationFacts {
  bool name_taken = false;
  bool zone_exists = true;
  bool address_free = true;
  std::string isolation_unavailable;      // why the driver cannot run here; empty: it can
  std::uint64_t memory_total_mib = 0;     // of the host
  std::uint64_t memory_promised_mib = 0;  // to living VMs (C103: memory is not overcommitted between VMs)
  std::optional<bool> plugin_enabled;     // unset: there is no such plugin (only asked when spec.plugin is set)
};
// kInvalidArgument, kAlreadyExists, kNotFound, kConflict, kUnsupported or kResourceExhausted.
Status admit_creation(const EnvironmentSpec& spec, const CreationFacts& facts);

// What living VMs but the one with this id (empty: all) have been promised.
std::uint64_t promised_memory_mib(const EnvironmentViews& environments, const std::string& but_id);
// Whether a VM's memory can be promised to it beside that: kResourceExhausted. Asked again at each start: one that was
// stopped may have left its place to another.
Status admit_memory(const EnvironmentSpec& spec, std::uint64_t promised_mib, std::uint64_t total_mib);
// Memory of the host that no living VM has been promised.
std::uint64_t spare_memory_mib(const EnvironmentViews& environments, std::uint64_t total_mib);

}  // namespace skerry
