#include "control/deployment_services.h"

#include "base/crash_point.h"
#include "base/log.h"
#include "base/text.h"
#include "control/deployment_revision.h"

namespace skerry {

Status settle_service(Controller& controller, const std::string& zone, std::optional<ServiceSpec>& service,
                      const std::optional<ServiceSpec>& before) {
  if (!service) return {};
  TRY(validate(*service));
  if (before && (service->address.empty() || service->address == before->address)) {
    service->address = before->address;
    return {};
  }
  service->address = TRY(controller.choose_service_address(zone, service->address));
  return {};
}

Status check_service_stays(const Deployment& deployment, const std::string& zone) {
  if (!deployment.service || zone_of(deployment) == zone) return {};
  return fail(ErrorCode::kConflict,
              cat("config.zone: deployment \"", deployment.name, "\" has a service in zone \"", zone, "\""),
              "take its service away first, or make another deployment");
}

void refresh_services(Controller& controller) {
  if (auto refreshed = controller.refresh_network(); !refreshed) {
    log::error("services", {{"error", refreshed.error().message()}});
  }
  crash_point("the services stand");
}

}  // namespace skerry
