// VerifiedFiles: files that were hashed and found right, so that each is hashed once by this process and again only
// after it changed (inode, size, time of last change). Thread-safe.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/digest.h"
#include "image/sha256.h"

namespace skerry {

class VerifiedFiles {
 public:
  explicit VerifiedFiles(FileHash hash = &sha256_of_content) : hash_(hash) {}

  // kCorrupt names `what` and both checksums.
  Status check(const std::string& path, const Digest& wanted, std::string_view what);
  // The caller has hashed it himself, and nobody else can have written to it since.
  Status remember(const std::string& path);
  void forget(const std::string& path);

 private:
  struct Seen {
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed_ns = 0;
    bool operator==(const Seen&) const = default;
  };
  static Seen seen_of(const struct stat& info);

  FileHash hash_;
  std::mutex mutex_;
  std::map<std::string, Seen> verified_;  // by path
};

}  // namespace skerry
