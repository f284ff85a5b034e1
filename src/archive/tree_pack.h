// A file or a directory tree of this machine, as a tar.
//
// Kept are owners, modes, modification times, symbolic links and (within the tree) hard links; extended attributes and
// holes where asked.
// Devices, pipes and sockets are left out, each with a note, and so are file systems of the kernel (/proc, /sys) below
// the top. The walk never follows a symbolic link below its top, so that nobody who changes the tree meanwhile can lead
// it elsewhere. What changes while it is read is an error (a file that was cut short) or as it was at one moment each.
#pragma once

#include <functional>
#include <string>

#include "archive/copied_xattrs.h"
#include "archive/tar_writer.h"
#include "base/result.h"

namespace skerry {

struct PackOptions {
  bool follow_top = false;  // a symbolic link as the top stands for what it leads to
  CopiedXattrs xattrs = CopiedXattrs::kNone;
  // Holes are told as such, and not read (TarWriter::add_sparse()).
  bool sparse = false;
  // Of a file in more pieces the rest is one. TarReader takes the map of so many for a header.
  std::size_t max_pieces = 64U << 10U;
  std::function<void(const std::string& text)> note = {};  // something was left out
};

// What the top of the archive of `path` is called: the last component, or "." (the content without its directory) when
// it ends in "/." or is "." or "/". kInvalidArgument when it ends in "..".
Result<std::string> name_of_top(const std::string& path);

// kNotFound, kPermissionDenied, … name the path.
Status pack_tree(const std::string& path, const PackOptions& options, const TarWriter::Sink& sink);

}  // namespace skerry
