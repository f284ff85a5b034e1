// The root file system of a container: an overlay of its image's layers and its own writable layer
// (Documentation/filesystems/overlayfs.rst).
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace skerry {

struct OverlaySpec {
  std::vector<std::string> lower;  // directories, bottom first; at least one
  std::string upper;               // what is written; made when missing
  std::string work;                // the kernel's, beside `upper` on the same file system; made when missing
  std::string scratch;             // an existing directory, for kernels that can mount it only somewhere (before 6.8)
  // Nothing written needs to survive a crash of the host: syncs cost nothing then.
  bool throw_away = false;
};

// A detached mount of it (base/sys_mount.h): in no table of mounts until somebody attaches it, gone with its last
// descriptor. kUnsupported when the kernel or the file system of `upper` cannot; the hint says which.
Result<Fd> make_overlay(const OverlaySpec& spec);
// The way in which make_overlay does it on kernels before 6.8: `spec.upper` and `spec.work` are there. kUnsupported
// when the paths do not fit the page that mount(2) takes.
Result<Fd> make_overlay_by_options(const OverlaySpec& spec);
// Takes away everything mounted on `target`, at once; what is still open there lives on until it is closed. Not
// mounted, or not there, is success.
Status unmount(const std::string& target);

}  // namespace skerry
