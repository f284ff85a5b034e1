// LayerReader: the entries of a layer, checked. What comes out of here can be trusted in form, whoever wrote the tar.
//
// Rules (OCI image specification, "Image Layer Filesystem Changeset"; pax in POSIX pax(1); GNU tar manual):
// - Paths are relative, without "..", each component at most 255 bytes, the whole at most 4095. Anything else is
// refused:
//   an absolute path or ".." in a layer is an attack or a broken builder, and guessing helps neither.
// - ".wh.NAME" becomes a whiteout of NAME, ".wh..wh..opq" makes its directory opaque; other ".wh..wh.*" names are notes
// of
//   old builders and are skipped.
// - Kept extended attributes: user.*, security.capability, system.posix_acl_access, system.posix_acl_default. Others
//   (security.selinux, com.apple.…) belong to the machine that built the image and are dropped. trusted.overlay.* and
//   user.overlay.* would change what the kernel's overlayfs shows: refused.
// - Entries, bytes of the stream and bytes of content are limited; sparse content counts by its full length.
// The names are bytes; they are not converted.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "core/digest.h"

namespace skerry {

struct LayerLimits {
  std::uint64_t max_entries = 1'000'000;
  std::uint64_t max_stream_bytes = 64ULL << 30U;    // of the uncompressed tar
  std::uint64_t max_content_bytes = 256ULL << 30U;  // sum of the files' lengths
};

struct LayerEntry {
  enum class Kind : std::uint8_t {
    kDirectory,
    kFile,
    kSymlink,
    kHardLink,
    kCharDevice,
    kBlockDevice,
    kFifo,
    kWhiteout,  // path: what is hidden from the layers below
    kOpaque,    // path: the directory whose content below is hidden
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

class LayerReader {
 public:
  // Takes the blob, compressed or not. Every error is kCorrupt (the blob breaks a rule; the entry is named),
  // kResourceExhausted (over a limit) or a read error.
  static Result<LayerReader> open(Fd blob, const LayerLimits& limits);
  ~LayerReader();
  LayerReader(LayerReader&&) noexcept;
  LayerReader& operator=(LayerReader&&) noexcept;

  // The next entry, nullopt at the end. Content of the current entry that was not read is skipped.
  Result<std::optional<LayerEntry>> next();

  using ContentSink = std::function<Status(std::uint64_t offset, std::string_view bytes)>;
  // The content of the current kFile entry: pieces in rising order; what lies between them is zero (sparse files).
  Status read_content(const ContentSink& sink);

  // Reads the rest and gives the diff_id of the whole. After next() gave nullopt.
  Result<Digest> finish();

 private:
  struct State;
  explicit LayerReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skerry
