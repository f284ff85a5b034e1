#include "oci/container_list.h"

namespace skerry::oci {

Result<std::vector<ContainerView>> list_containers(Runtime& runtime, const StateStore& store,
                                                   const RuntimeOptions& options) {
  std::vector<ContainerView> out;
  for (const auto& id : TRY(store.ids())) {
    auto view = runtime.state(id);
    if (view) {
      out.push_back(std::move(*view));
    } else if (view.error().code != ErrorCode::kNotFound) {
      options.warn(view.error().message());
    }
  }
  return out;
}

}  // namespace skerry::oci
