// ImageStore: the images of this host. The one entrance to image/ for the daemon.
//
//   <dir>/oci-layout, index.json, blobs/sha256/   an OCI image layout: skopeo and umoci read it as it is
//   <dir>/layers/     unpacked layers (image/layer_store.h)
//   <dir>/disks/      base disks for microVMs (image/disk_store.h)
//   <dir>/artifacts/  disks and initramfs images of plugins (image/artifact_store.h)
//   <dir>/staging/    work in progress; emptied at open
//   <dir>/lock        held while a store is open
//
// Killed at any moment, the store opens again: blobs, layers, disks and the index appear by rename only, what is not
// reachable from the index is collected at open. All methods are blocking and may be called from any thread. Whether an
// image is in use is not known here: the caller decides what may be removed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "core/artifact.h"
#include "core/image.h"
#include "image/layer_reader.h"
#include "image/registry.h"
#include "image/work.h"

namespace skerry {

class ErofsWriter;
class MergedTree;

struct ImageStoreConfig {
  std::string dir;  // "<state>/images"; made with mode 0700
  LayerLimits limits;
  std::uint64_t max_artifact_bytes = 32ULL << 30U;  // of a file that a plugin names
};

struct RemovedImages {
  std::vector<std::string> names;  // untagged
  std::vector<Digest> manifests;   // gone
  std::uint64_t freed_bytes = 0;   // of blobs
};

class ImageStore {
 public:
  // kConflict when another process has the store open.
  static Result<std::unique_ptr<ImageStore>> open(ImageStoreConfig config);
  ~ImageStore();
  ImageStore(const ImageStore&) = delete;
  ImageStore& operator=(const ImageStore&) = delete;

  // Fetches what is missing, verifies every byte, and gives the image its name. An image that had the name stays,
  // nameless. On any error nothing is left behind. Errors: image/registry.h; kCorrupt names the blob; kUnsupported when
  // the image is not for this machine.
  Result<Image> pull(const ImageReference& reference, const RegistryOptions& options, const Work& work);

  // Sends the image to a registry, under the tag of `target` (a target with a digest is kInvalidArgument): the same
  // bytes, so its digest there is the one it has here. Errors: image/registry.h.
  Status push(std::string_view name_or_id, const ImageReference& target, const RegistryOptions& options,
              const Work& work) const;

  // By name ("debian", "localhost:5000/web:1") or by id (whole digest or its first digits, at least six). kNotFound
  // says how to get it.
  [[nodiscard]] Result<Image> find(std::string_view name_or_id) const;
  // Sorted by name; an image with several names comes once for each, a nameless one with an empty name.
  [[nodiscard]] std::vector<Image> list() const;
  // The configuration document as the image's builder wrote it (JSON).
  [[nodiscard]] Result<std::string> raw_config(const Image& image) const;

  // Gives an image one more name.
  Status tag(std::string_view name_or_id, const ImageReference& name);
  // By name: drops the name, and the image with its last one. By id: drops all its names and the image.
  Result<RemovedImages> remove(std::string_view name_or_id);
  // Drops nameless images and artifacts that are not in `in_use` (manifest digests, artifact checksums), then
  // everything unreachable.
  Result<RemovedImages> prune(const std::vector<Digest>& in_use);

  // One file with the image: an OCI archive (a tar of an OCI layout), the same bytes each time.
  Status save(std::string_view name_or_id, const std::string& path, const Work& work) const;
  // Reads an OCI archive or a docker archive, under `name` or the name it carries. Verified like a pull.
  Result<Image> load(const std::string& path, const std::string& name, const Work& work);
  // Makes an image of one layer from a tar of a root file system (compressed or not).
  Result<Image> import_rootfs(const std::string& tar_path, const ImageReference& name, const ImageConfig& config,
                              const Work& work);

  // For containers: overlayfs lower directories, bottom first.
  Result<std::vector<std::string>> lower_directories(const Image& image, const Work& work);
  // For microVMs: a read-only EROFS image of the whole file system; the same bytes for the same layers, on any machine.
  Result<std::string> base_disk(const Image& image, const Work& work);
  // A file that a plugin names by URL and checksum, fetched and verified (image/artifact_store.h).
  Result<std::string> artifact(const Artifact& artifact, const Work& work);
  // For builders of other file systems: the layers merged; the tree is not finished (image/layer_disk.h).
  Status merge(const Image& image, MergedTree& tree, ErofsWriter& writer, const Work& work) const;
  // A new directory in `parent`, for work whose results only have to be renamed there. It goes with its owner, or, when
  // this process is killed, at the next open().
  class Scratch;
  Result<std::unique_ptr<Scratch>> scratch_in(const std::string& parent);

 private:
  struct State;
  explicit ImageStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skerry
