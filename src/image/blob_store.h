// BlobStore: content-addressed files, "blobs/sha256/<hex>" of an OCI image layout.
//
// A blob is only ever seen whole and true: it is written elsewhere, hashed, and renamed to its address. Blobs never
// change. The store's owner serialises adopt() and remove().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "core/digest.h"

namespace skerry {

class BlobStore {
 public:
  // `layout_dir` exists; makes the directories below it.
  static Result<BlobStore> open(const std::string& layout_dir);

  [[nodiscard]] bool has(const Digest& digest) const;
  [[nodiscard]] std::string path(const Digest& digest) const;
  // kNotFound names the digest.
  [[nodiscard]] Result<Fd> open_blob(const Digest& digest) const;
  // A small blob, hashed again: kCorrupt when the disk changed it.
  [[nodiscard]] Result<std::string> read(const Digest& digest, std::size_t limit) const;

  // Checks that the file is what it shall be (kCorrupt names digest and difference), makes it 0600 and syncs it.
  // Touches nothing of the store.
  static Status verify(const std::string& staged, const Digest& digest, std::uint64_t size);
  // Moves a verified file of the same file system in.
  Status adopt(const std::string& staged, const Digest& digest) const;
  // Stores bytes by way of `staging_dir` and gives their digest.
  Result<Digest> put(std::string_view bytes, const std::string& staging_dir) const;

  [[nodiscard]] Result<std::vector<Digest>> list() const;
  [[nodiscard]] Status remove(const Digest& digest) const;

 private:
  explicit BlobStore(std::string dir) : dir_(std::move(dir)) {}
  std::string dir_;
};

}  // namespace skerry
