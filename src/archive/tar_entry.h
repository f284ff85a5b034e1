// One entry of a tar, as TarReader gives it (checked) and TarWriter takes it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace skerry {

struct TarEntry {
  enum class Kind : std::uint8_t {
    kDirectory,
    kFile,
    kSymlink,
    kHardLink,
    kCharDevice,
    kBlockDevice,
    kFifo,
    kWhiteout,  // of image layers only (image/layer_reader.h). path: what is hidden from the layers below
    kOpaque,    // likewise. path: the directory whose content below is hidden
  };
  Kind kind = Kind::kFile;
  std::string path;  // "usr/bin/env"; "" is the root directory
  mode_t mode = 0;   // permission bits, 07777
  uid_t uid = 0;
  gid_t gid = 0;
  std::int64_t mtime_s = 0;
  std::uint32_t mtime_ns = 0;
  std::uint64_t size = 0;   // kFile
  std::string link_target;  // kSymlink: as written; kHardLink: a path like `path`
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;  // sorted by name
};

// The file type bits of its inode (S_IFMT, inode(7)); a hard link's are a regular file's.
mode_t file_type_bits(TarEntry::Kind kind);

}  // namespace skerry
