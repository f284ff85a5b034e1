// SHA-256 (FIPS 180-4) by OpenSSL, as the digest of a blob.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "core/digest.h"

namespace skerry {

// Feed bytes, then finish() once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::string_view bytes);
  [[nodiscard]] Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Digest sha256_of(std::string_view bytes);

struct FileDigest {
  Digest digest;
  std::uint64_t size = 0;
};
// Reads `fd` from its start to its end (pread; the offset stays).
Result<FileDigest> sha256_of_file(int fd);

// How the content of an open file is told from any other.
using FileHash = Result<Digest> (*)(int fd);
Result<Digest> sha256_of_content(int fd);
// For files that are mostly holes, which are not read: over the length, and each block that is not all zero with its
// place. Whether zeros are written or a hole makes no difference. The offset of `fd` moves.
Result<Digest> sha256_of_sparse_file(int fd);

}  // namespace skerry
