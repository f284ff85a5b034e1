#include "archive/tar_entry.h"

#include <sys/stat.h>

namespace skerry {

mode_t file_type_bits(TarEntry::Kind kind) {
  using Kind = TarEntry::Kind;
  switch (kind) {
    case Kind::kDirectory: return S_IFDIR;
    case Kind::kSymlink: return S_IFLNK;
    case Kind::kCharDevice: return S_IFCHR;
    case Kind::kBlockDevice: return S_IFBLK;
    case Kind::kFifo: return S_IFIFO;
    default: return S_IFREG;
  }
}

}  // namespace skerry
