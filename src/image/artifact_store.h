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
  static Result<std::unique_ptr<ArtifactStore>> open(std::string dir);

  // The path of the verified file, fetched when it is not here: file:// is copied, https:// comes through curl(1).
  // kCorrupt when the bytes do not have the checksum (names both), kNotFound, kUnavailable.
  Result<std::string> get(const Artifact& artifact, const Work& work);

  // Removes the others; what freed how many bytes.
  Result<std::uint64_t> keep_only(const std::set<Digest>& wanted);

 private:
  explicit ArtifactStore(std::string dir) : dir_(std::move(dir)) {}
  Status fetch(const Artifact& artifact, const Digest& wanted, const std::string& path, const Work& work);

  std::string dir_;
  SingleFlight flights_;
  VerifiedFiles verified_;
};

}  // namespace skerry
