#include "keeper/rotating_file.h"

#include <fcntl.h>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::keeper {

Result<RotatingFile> RotatingFile::open(std::string path, std::uint64_t max_bytes, int files) {
  RotatingFile file(std::move(path), max_bytes, files);
  TRY(file.reopen());
  return file;
}

Status RotatingFile::reopen() {
  Fd fd = TRY(sys::open(path_, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0640));
  size_ = static_cast<std::uint64_t>(TRY(sys::fstat(fd.get())).st_size);
  fd_ = std::move(fd);
  return {};
}

Status RotatingFile::rotate() {
  fd_.reset();
  for (int number = files_ - 1; number >= 1; --number) {
    const std::string from = number == 1 ? path_ : cat(path_, ".", number - 1);
    if (sys::exists(from)) TRY(sys::rename(from, cat(path_, ".", number)));
  }
  if (files_ == 1) TRY(sys::unlink(path_));
  return reopen();
}

Status RotatingFile::append(std::string_view piece) {
  if (!fd_) TRY(reopen());
  if (!fits(piece.size())) TRY(rotate());
  auto written = sys::write_all(fd_.get(), piece);
  if (!written) {
    // Half an entry must not stay: the next one would be glued to it.
    if (!sys::ftruncate(fd_.get(), size_)) fd_.reset();
    return fail(std::move(written).error());
  }
  size_ += piece.size();
  return {};
}

}  // namespace skerry::keeper
