// ArtifactStore: the files that plugins name by URL and checksum: root disks, initramfs images.
//
//   artifacts/<64 hex>    the verified bytes, mode 0400, named by what they are; appear by rename
//   artifacts/tmp-…       being fetched; removed at open
//
// Nothing is used that was not verified: when it was fetched, once by each process, and again after any change of the
// file (inode, size, time of last change) since. Thread-safe; the same artifact is fetched by one thread at a time.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/result.h"
#include "core/artifact.h"
#include "core/digest.h"
#include "image/single_flight.h"
#include "image/verified_files.h"
#include "image/work.h"

namespace skerry {

class ArtifactStore {
 public:
  // None may be larger than `max_bytes`.
  static Result<std::unique_ptr<ArtifactStore>> open(std::string dir, std::uint64_t max_bytes = kMaxBytes);
  static constexpr std::uint64_t kMaxBytes = 32ULL << 30U;

  // The path of the verified file, fetched when it is not here: file:// is copied, https:// comes through curl(1).
  // kCorrupt when the bytes do not have the checksum (names both) or are not of the format, kResourceExhausted when
  // there are too many, kNotFound, kUnavailable.
  Result<std::string> get(const Artifact& artifact, const Work& work);

  // Removes the others; what freed how many bytes.
  Result<std::uint64_t> keep_only(const std::set<Digest>& wanted);

 private:
  ArtifactStore(std::string dir, std::uint64_t max_bytes) : dir_(std::move(dir)), max_bytes_(max_bytes) {}
  Status fetch(const Artifact& artifact, const Digest& wanted, const std::string& path, const Work& work);

  std::string dir_;
  std::uint64_t max_bytes_;
  SingleFlight flights_;
  VerifiedFiles verified_;
};

}  // namespace skerry
