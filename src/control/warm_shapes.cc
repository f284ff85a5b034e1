#include "control/warm_shapes.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "wire/plugin_manifest.h"

namespace skerry {
namespace {

Status find_zone(WarmShape& shape, Zones& zones) {
  shape.zone = TRY(zones.find(shape.spec.zone));
  const auto trouble = zones.trouble(shape.spec.zone);
  if (trouble.empty()) return {};
  return fail(ErrorCode::kUnavailable, cat("zone \"", shape.spec.zone, "\" cannot be used: ", trouble));
}

// What everybody is given who asks for the plugin as a microVM and for nothing else.
Status resolve(WarmShape& shape, const WarmShapePorts& ports) {
  CreateCommand command;
  command.spec = shape.spec;
  command.isolation_wish = IsolationWish::kAsked;
  shape.spec = TRY(ports.complete(command));
  TRY(validate(shape.spec));
  if (!shape.spec.image.empty()) shape.image_digest = TRY(ports.images.find(shape.spec.image)).manifest_digest.text();
  return find_zone(shape, ports.zones);
}

// Whether the next creation of it would get as far as to take one.
bool can_still_be_had(WarmShape& shape, const WarmShapePorts& ports) {
  if (!shape.image_digest.empty() && !ports.images.find(shape.image_digest)) return false;
  if (!shape.spec.plugin.empty()) {
    const auto plugin = ports.store.find_plugin({shape.spec.plugin, shape.spec.plugin_version});
    if (!plugin || !*plugin || !(*plugin)->enabled) return false;
  }
  return find_zone(shape, ports.zones).has_value();
}

bool is_wished(const WarmShape& spare, const std::vector<WarmShape>& wishes) {
  return std::ranges::any_of(wishes, [&](const WarmShape& wish) {
    return wish.image_digest == spare.image_digest && same_shape(wish.spec, spare.spec);
  });
}

Result<std::vector<WarmShape>> wishes_of_plugins(const WarmShapePorts& ports) {
  std::vector<WarmShape> shapes;
  std::string last;
  for (const auto& plugin : TRY(ports.store.plugins())) {
    // By name, the newest first: the first one that is enabled is what the name stands for.
    if (!plugin.enabled || plugin.name == last) continue;
    last = plugin.name;
    const auto manifest = wire::parse_plugin_manifest(plugin.manifest_json);
    if (!manifest || manifest->warm_pool.mode == WarmMode::kOff) continue;
    WarmShape shape;
    shape.wish = manifest->warm_pool;
    shape.spec.name = plugin.name;
    shape.spec.plugin = plugin.name;
    shape.spec.plugin_version = plugin.version;
    shape.spec.isolation = Isolation::kMicrovm;
    if (auto resolved = resolve(shape, ports); !resolved) shape.problem = resolved.error().message();
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

}  // namespace

Result<std::vector<WarmShape>> warm_shapes(const WarmShapePorts& ports, AskedLately& asked, MonoTime now) {
  auto shapes = TRY(wishes_of_plugins(ports));
  for (auto& spare : asked.shapes(now)) {
    if (!is_wished(spare, shapes) && can_still_be_had(spare, ports)) shapes.push_back(std::move(spare));
  }
  return shapes;
}

}  // namespace skerry
