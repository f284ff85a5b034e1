// LayerStore: layers unpacked once and shared by every image that has them, ready as overlayfs lower directories.
//
//   layers/<32 hex of the diff_id>    the layer, as image/layer_unpack.h makes it; its root is the directory itself
//   layers/<32 hex of the chain id>   the same, for a layer that leaves parent directories undescribed: their owner and
//                                     mode come from the layers below, so it cannot be shared beyond this chain
//   layers/tmp-…                      being made; removed at open
//
// A layer appears whole (rename) or not at all. Thread-safe; two threads never unpack the same layer twice.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/image.h"
#include "image/blob_store.h"
#include "image/layer_reader.h"
#include "image/single_flight.h"
#include "image/work.h"

namespace skerry {

class LayerStore {
 public:
  // Clears what a killed process left in `dir`. `blobs` must outlive the store.
  static Result<std::unique_ptr<LayerStore>> open(std::string dir, const BlobStore& blobs, const LayerLimits& limits);

  // The image's layers as directories, bottom first; unpacks those that are missing. kCorrupt when a layer breaks a
  // rule or is not the one its diff_id names (the error names the layer and the entry); nothing of it is left then.
  Result<std::vector<std::string>> lower_directories(const std::vector<ImageLayer>& layers, const Work& work);

  // Removes the layers that none of these images uses.
  Status keep_only(const std::vector<std::vector<ImageLayer>>& images);

 private:
  LayerStore(std::string dir, const BlobStore& blobs, const LayerLimits& limits)
      : dir_(std::move(dir)), blobs_(&blobs), limits_(limits) {}
  Result<std::string> unpack(const ImageLayer& layer, const Digest& chain, const std::vector<std::string>& below,
                             const Work& work);

  std::string dir_;
  const BlobStore* blobs_;
  LayerLimits limits_;
  SingleFlight flights_;
};

// The directory or file name for an id in the caches below the image store: 128 bits of it. Short, because the kernel
// takes one page of mount options for all lower directories together.
std::string cache_name(const Digest& id);

}  // namespace skerry
