#include "image/made_files.h"

#include <fcntl.h>

#include "base/file_io.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr std::size_t kMostChecksum = 256;

std::string checksum_path(const std::string& path) { return cat(path, MadeFiles::kSuffix); }

Status unlink_if_there(const std::string& path) {
  auto gone = sys::unlink(path);
  if (!gone && gone.error().code == ErrorCode::kNotFound) return {};
  return gone;
}

}  // namespace

Status MadeFiles::keep(const std::string& temporary, const std::string& path) {
  const Fd file = TRY(sys::open(temporary, O_RDONLY));
  const Digest made = TRY(hash_(file.get()));
  // Never a file with the checksum of another: the old one goes first, the new one comes last.
  TRY(remove(path));
  TRY(write_file_atomic(checksum_path(path), made.text(), 0400));
  TRY(sys::rename(temporary, path));
  return verified_.remember(path);
}

Result<bool> MadeFiles::intact(const std::string& path) {
  if (!sys::exists(path)) return false;
  Status good = fail(ErrorCode::kCorrupt, "nobody knows its checksum");
  if (const auto text = read_file(checksum_path(path), kMostChecksum)) {
    const auto wanted = Digest::parse(*text);
    good = wanted ? verified_.check(path, *wanted, "it") : fail(Error(wanted.error()));
  }
  if (good) return true;
  log::warning("a file that was made here is not what it was: it is made again",
               {{"path", path}, {"error", good.error().message()}});
  TRY(remove(path));
  return false;
}

Status MadeFiles::remove(const std::string& path) {
  verified_.forget(path);
  TRY(unlink_if_there(path));
  return unlink_if_there(checksum_path(path));
}

}  // namespace skerry
