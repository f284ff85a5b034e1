// Unpacks one layer into a directory that overlayfs can use as a lower directory (Linux
// Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories").
//
// Whiteouts become character devices 0:0, opaque directories carry trusted.overlay.opaque=y. Owners, modes, times, hard
// links, devices, fifos, sparse files and the attributes that LayerReader keeps are as in the layer. Needs root
// (owners, devices, trusted.*).
//
// The walk never leaves the directory: every parent is opened below it without following symlinks, every name is made
// exclusively. An entry below a symlink or a file of the same layer, a hard link to something the layer does not hold,
// and a second entry for the same path (directories excepted: the last one counts) are refused with the entry's name.
// What a refused layer leaves behind is the caller's to remove.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "core/digest.h"
#include "image/layer_reader.h"

namespace skerry {

// Asked often; true ends the work with kCancelled.
using CancelCheck = std::function<bool()>;

struct UnpackedLayer {
  Digest diff_id;
  // Directories that the layer uses without describing them, parents first. They got mode 0755 and root as owner; what
  // they should have is what the layers below say. Not the root: what it looks like is decided by overlayfs's upper
  // directory, and most layers do not describe it.
  std::vector<std::string> implied_directories;
};

// `root_fd`: an open, empty directory.
Result<UnpackedLayer> unpack_layer(Fd blob, int root_fd, const LayerLimits& limits, const CancelCheck& cancelled = {});

}  // namespace skerry
