// Event: the record of one change, stored in the same transaction as the change.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "core/environment.h"

namespace skerry {

struct Event {
  std::uint64_t id = 0;  // given by the store; ids only grow
  std::string type;      // "<noun>.<past participle>": "vm.created", "image.pulled"
  std::string resource;  // name of what it is about
  std::map<std::string, std::string> data;
  WallTime time;
  bool operator==(const Event&) const = default;
};

// An event about an environment, with the fields every client expects: name, plugin, image, ip, state; of its health
// also health_check, "passed" or "failed". `what` is the past participle: "created", "started", …
Event environment_event(const Environment& environment, std::string_view what, WallTime time);

}  // namespace skerry
