// The virtual addresses of deployments: who gets which, and that the kernel follows.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "control/controller.h"
#include "core/plugin.h"
#include "core/service.h"

namespace skerry {

// Checks the service and gives it its address; `before` is what the deployment has. Errors as
// Controller::choose_service_address().
Status settle_service(Controller& controller, const std::string& zone, std::optional<ServiceSpec>& service,
                      const std::optional<ServiceSpec>& before);
// An address is of its zone's subnet: kConflict when a deployment that has one is to leave `zone`.
Status check_service_stays(const Deployment& deployment, const std::string& zone);
// The kernel follows the stored services; failures are logged.
void refresh_services(Controller& controller);

}  // namespace skerry
