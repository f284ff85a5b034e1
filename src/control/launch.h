// From a stored environment to what its driver needs to start it. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/environment.h"
#include "core/image.h"
#include "core/zone.h"
#include "drivers/driver.h"

namespace skerry {

// The interface an environment with this lease gets in its zone; nullopt when it has no address.
Result<std::optional<NetworkAttachment>> make_attachment(const Environment& environment, const Zone& zone,
                                                         const std::vector<std::string>& default_dns);

// kConflict when a published port of `candidate` is already published by another living environment; names both.
Status check_port_conflicts(const Environment& candidate, const EnvironmentViews& others);

}  // namespace skerry
