// How an image leaves the store for a registry.

#include <unistd.h>

#include "base/file_io.h"
#include "base/text.h"
#include "image/store_state.h"

namespace skerry {

Status ImageStore::push(std::string_view name_or_id, const ImageReference& target, const RegistryOptions& options,
                        const Work& work) const {
  if (target.digest) {
    return fail(ErrorCode::kInvalidArgument, cat("push ", target.text(), ": a push goes to a tag, not to a digest"));
  }
  const Image image = TRY(find(name_or_id));
  const TempDir staging = TRY(state_->stage());
  std::vector<Digest> blobs{image.config_digest};
  for (const auto& layer : image.layers) blobs.push_back(layer.digest);
  for (const auto& digest : blobs) {
    const std::string link = staging / digest.hex();
    // Linked: they stay ours even when the store drops them meanwhile. A layer may be there twice.
    if (::link(state_->blobs.path(digest).c_str(), link.c_str()) != 0 && errno != EEXIST) {
      return fail_errno(cat("push ", target.text(), ": link ", digest.text()));
    }
  }
  const auto manifest = TRY(state_->blobs.read(image.manifest_digest, wire::kMaxManifestBytes));
  TRY(write_file_atomic(staging / "manifest.json", manifest, 0600));
  // containers-transports(5), "dir": the form's own version.
  TRY(write_file_atomic(staging / "version", "Directory Transport Version: 1.1\n", 0600));
  work.report("uploading", 0, image.size);
  return push_image(staging.path(), target, image.size, options, work);
}

}  // namespace skerry
