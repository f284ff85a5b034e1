// Layers, merged, as one EROFS image: the read-only base disk of a microVM.
//
// Reads each layer blob once, top layer first, and writes forward: no unpacking, no mount, no root. The bytes depend
// only on the layers' content (their diff_ids, in order).
#pragma once

#include <vector>

#include "base/result.h"
#include "core/image.h"
#include "image/blob_store.h"
#include "image/erofs_writer.h"
#include "image/layer_reader.h"
#include "image/merged_tree.h"
#include "image/work.h"

namespace skerry {

// Raised when the same layers would give other bytes than before.
inline constexpr int kLayerDiskVersion = 1;

// Reads the layers into `tree` and their content through `writer`; the tree is not finished. kCorrupt names the layer.
Status merge_layers(const std::vector<ImageLayer>& layers, const BlobStore& blobs, const LayerLimits& limits,
                    const Work& work, MergedTree& tree, ErofsWriter& writer);

// `disk_fd`: an empty file. kCorrupt names the layer that breaks a rule or is not what its diff_id says.
Status write_layer_disk(const std::vector<ImageLayer>& layers, const BlobStore& blobs, int disk_fd,
                        const LayerLimits& limits, const Work& work);

}  // namespace skerry
