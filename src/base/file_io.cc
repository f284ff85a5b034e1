#include "base/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const Fd fd = TRY(sys::open(path, O_RDONLY));
  return annotate(sys::read_to_end(fd.get(), limit), cat("read ", path));
}

Status write_file_atomic(const std::string& path, std::string_view content, mode_t mode, Durability durability) {
  std::string temporary = cat(path, ".tmp.XXXXXX");
  Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail_errno(cat("create ", temporary));
  Rollback rollback;
  rollback.add([&] { ::unlink(temporary.c_str()); });
  if (::fchmod(fd.get(), mode) < 0) return fail_errno(cat("chmod ", temporary));
  TRY_IN(cat("write ", path), sys::write_all(fd.get(), content));
  if (durability == Durability::kPowerLoss) TRY(sys::fsync(fd.get()));
  TRY(sys::rename(temporary, path));
  rollback.commit();
  if (durability == Durability::kPowerLoss) {
    const auto slash = path.rfind('/');
    const Fd dir = TRY(sys::open(slash == std::string::npos ? "." : path.substr(0, slash + 1), O_RDONLY | O_DIRECTORY));
    TRY(sys::fsync(dir.get()));
  }
  return {};
}

Status write_existing(const std::string& path, std::string_view content) {
  const Fd fd = TRY(sys::open(path, O_WRONLY));
  const auto put = ::write(fd.get(), content.data(), content.size());
  if (put < 0) return fail_errno(cat("write \"", content.substr(0, 64), "\" to ", path));
  if (static_cast<std::size_t>(put) != content.size()) return fail(ErrorCode::kIo, cat("short write to ", path));
  return {};
}

}  // namespace skerry
