#include "control/warm_shapes.h"

#include <utility>

#include "wire/plugin_manifest.h"

namespace skerry {
namespace {

// What everybody is given who asks for the plugin as a microVM and for nothing else.
Status resolve(WarmShape& shape, ImageStore& images, const CompleteSpec& complete) {
  CreateCommand command;
  command.spec = shape.spec;
  command.isolation_wish = IsolationWish::kAsked;
  shape.spec = TRY(complete(command));
  TRY(validate(shape.spec));
  if (!shape.spec.image.empty()) shape.image_digest = TRY(images.find(shape.spec.image)).manifest_digest.text();
  return {};
}

}  // namespace

Result<std::vector<WarmShape>> warm_shapes(Store& store, ImageStore& images, const CompleteSpec& complete) {
  std::vector<WarmShape> shapes;
  std::string last;
  for (const auto& plugin : TRY(store.plugins())) {
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
    if (auto resolved = resolve(shape, images, complete); !resolved) shape.problem = resolved.error().message();
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

}  // namespace skerry
