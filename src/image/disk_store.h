// DiskStore: the base disks of images for microVMs, made once for each chain of layers.
//
//   disks/<32 hex of the chain id>.<format version>.erofs           read-only EROFS of the merged layers
//   disks/<32 hex of the chain id>.<format version>.erofs.sha256    its checksum
//   disks/tmp-…                                                     being made; removed at open
//
// Verified before each use, and made again if it was changed (image/made_files.h). Made straight from the layer blobs:
// nothing is unpacked, mounted or run, and no privilege is needed. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/image.h"
#include "image/blob_store.h"
#include "image/layer_reader.h"
#include "image/made_files.h"
#include "image/single_flight.h"
#include "image/work.h"

namespace skerry {

class DiskStore {
 public:
  // `blobs` must outlive the store.
  static Result<std::unique_ptr<DiskStore>> open(std::string dir, const BlobStore& blobs, const LayerLimits& limits);

  // The path of the disk; makes it when it is missing or not what it was. The file must not be written to. kCorrupt
  // when the layers are not what they were either.
  Result<std::string> base_disk(const std::vector<ImageLayer>& layers, const Work& work);

  // Removes the disks that belong to none of these images.
  Status keep_only(const std::vector<std::vector<ImageLayer>>& images);

 private:
  DiskStore(std::string dir, const BlobStore& blobs, const LayerLimits& limits)
      : dir_(std::move(dir)), blobs_(&blobs), limits_(limits) {}

  std::string dir_;
  const BlobStore* blobs_;
  LayerLimits limits_;
  SingleFlight flights_;
  MadeFiles disks_;
};

}  // namespace skerry
