#include "image/verified_files.h"

#include <fcntl.h>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {

VerifiedFiles::Seen VerifiedFiles::seen_of(const struct stat& info) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  return {info.st_ino, info.st_size, info.st_ctim.tv_sec * kNsPerSecond + info.st_ctim.tv_nsec};
}

Status VerifiedFiles::check(const std::string& path, const Digest& wanted, std::string_view what) {
  const Fd file = TRY(sys::open(path, O_RDONLY));
  const Seen now = seen_of(TRY(sys::fstat(file.get())));
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = verified_.find(path); known != verified_.end() && known->second == now) return {};
  }
  const Digest found = TRY(hash_(file.get()));
  if (found != wanted) {
    return fail(ErrorCode::kCorrupt, cat(what, " has the checksum ", found.text(), ", not ", wanted.text()),
                "it is not what the manifest means: build or fetch it again");
  }
  const std::lock_guard lock(mutex_);
  verified_[path] = now;
  return {};
}

Status VerifiedFiles::remember(const std::string& path) {
  const Seen now = seen_of(TRY(sys::stat(path)));
  const std::lock_guard lock(mutex_);
  verified_[path] = now;
  return {};
}

void VerifiedFiles::forget(const std::string& path) {
  const std::lock_guard lock(mutex_);
  verified_.erase(path);
}

}  // namespace skerry
