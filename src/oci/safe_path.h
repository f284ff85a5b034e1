// Paths inside the container's root file system, walked so that nothing in it can lead outside.
//
// The root belongs to whoever made the image, and another process may change it while we work. So a path is resolved by
// the kernel in one step (openat2(2) with RESOLVE_IN_ROOT) and from then on only its descriptor is used; what is
// missing is made below a descriptor, one component at a time, never following a link that appears meanwhile.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::oci {

// Absolute, without ".", ".." and repeated slashes; resolved as text ("/a/../b" is "/b").
std::string clean_absolute(const std::string& path);

enum class Symlinks : std::uint8_t {
  kInsideRoot,  // followed, but never out of the root
  kRefuse,      // an error (ELOOP) anywhere on the path
};

// O_PATH descriptor of an existing path.
Result<Fd> open_in_root(int root_fd, const std::string& path, Symlinks symlinks = Symlinks::kInsideRoot);

enum class MissingTarget : std::uint8_t { kDirectory, kFile };
// The same, making what is missing: directories (0755) and at the end a directory or an empty file.
Result<Fd> make_in_root(int root_fd, const std::string& path, MissingTarget kind,
                        Symlinks symlinks = Symlinks::kInsideRoot);

}  // namespace skerry::oci
