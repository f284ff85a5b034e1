#include "core/event.h"

#include "base/text.h"

namespace skerry {

Event environment_event(const Environment& environment, std::string_view what, WallTime time) {
  Event event;
  event.type = cat(event_noun(environment.spec.isolation), ".", what);
  event.resource = environment.spec.name;
  event.time = time;
  auto& data = event.data;
  data["name"] = environment.spec.name;
  data["state"] = to_text(environment.status.state);
  data["isolation"] = to_text(environment.spec.isolation);
  data["zone"] = environment.spec.zone;
  if (!environment.spec.plugin.empty()) data["plugin"] = environment.spec.plugin;
  if (!environment.spec.image.empty()) data["image"] = environment.spec.image;
  if (!environment.ip.empty()) data["ip"] = environment.ip;
  if (!environment.status.reason.empty()) data["reason"] = environment.status.reason;
  // The microVM document's word for it.
  if (what == "healthy" || what == "unhealthy") data["health_check"] = what == "healthy" ? "passed" : "failed";
  if (environment.status.exit_code) data["exit_code"] = cat(*environment.status.exit_code);
  return event;
}

}  // namespace skerry
