#include "image/blob_store.h"

#include <fcntl.h>

#include <filesystem>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/sha256.h"

namespace skerry {

Result<BlobStore> BlobStore::open(const std::string& layout_dir) {
  std::string dir = cat(layout_dir, "/blobs/sha256");
  TRY(sys::mkdir_all(dir, 0700));
  return BlobStore(std::move(dir));
}

std::string BlobStore::path(const Digest& digest) const { return cat(dir_, "/", digest.hex()); }

bool BlobStore::has(const Digest& digest) const { return sys::exists(path(digest)); }

Result<Fd> BlobStore::open_blob(const Digest& digest) const {
  return annotate(sys::open(path(digest), O_RDONLY | O_NOFOLLOW), cat("blob ", digest.text()));
}

Result<std::string> BlobStore::read(const Digest& digest, std::size_t limit) const {
  const Fd fd = TRY(open_blob(digest));
  std::string bytes = TRY_IN(cat("blob ", digest.text()), sys::read_to_end(fd.get(), limit));
  if (sha256_of(bytes) != digest) {
    return fail(ErrorCode::kCorrupt, cat("blob ", digest.text(), " was changed on disk"),
                "remove the image and pull it again");
  }
  return bytes;
}

Status BlobStore::verify(const std::string& staged, const Digest& digest, std::uint64_t size) {
  const Fd fd = TRY_IN(cat("blob ", digest.text()), sys::open(staged, O_RDONLY | O_NOFOLLOW));
  const auto found = TRY_IN(cat("blob ", digest.text()), sha256_of_file(fd.get()));
  if (found.size != size) {
    return fail(ErrorCode::kCorrupt,
                cat("blob ", digest.text(), " has ", found.size, " bytes; the manifest says ", size));
  }
  if (found.digest != digest) {
    return fail(ErrorCode::kCorrupt, cat("blob ", digest.text(), ": its content has the digest ", found.digest.text()));
  }
  TRY(sys::fchmod(fd.get(), 0600));
  return sys::fsync(fd.get());
}

Status BlobStore::adopt(const std::string& staged, const Digest& digest) const {
  TRY(sys::rename(staged, path(digest)));
  crash_point("a blob is adopted");
  return {};
}

Result<Digest> BlobStore::put(std::string_view bytes, const std::string& staging_dir) const {
  Digest digest = sha256_of(bytes);
  if (has(digest)) return digest;
  const std::string staged = cat(staging_dir, "/put-", digest.hex());
  TRY(write_file_atomic(staged, bytes, 0600, Durability::kPowerLoss));
  TRY(sys::rename(staged, path(digest)));
  return digest;
}

Result<std::vector<Digest>> BlobStore::list() const {
  std::vector<Digest> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir_, error)) {
    if (auto digest = Digest::from_hex(entry.path().filename().string())) out.push_back(std::move(*digest));
  }
  if (error) return fail(Error::from_errno(error.value(), cat("list ", dir_)));
  return out;
}

Status BlobStore::remove(const Digest& digest) const {
  TRY(sys::unlink(path(digest)));
  crash_point("a blob is removed");
  return {};
}

}  // namespace skerry
