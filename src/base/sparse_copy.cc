#include "base/sparse_copy.h"

#include <unistd.h>

#include <cerrno>

#include "base/sys_file.h"

namespace skerry {
namespace {

Status copy_range(int from, int to, off_t begin, off_t end) {
  while (begin < end) {
    off_t target = begin;
    const ssize_t copied = ::copy_file_range(from, &begin, to, &target, static_cast<std::size_t>(end - begin), 0);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return fail_errno("copy_file_range");
    if (copied == 0) return fail(ErrorCode::kCorrupt, "copy a file: it became shorter");
  }
  return {};
}

}  // namespace

Result<std::optional<FileExtent>> next_data(int fd, std::uint64_t from) {
  const off_t data = ::lseek(fd, static_cast<off_t>(from), SEEK_DATA);
  if (data < 0 && errno == ENXIO) return std::nullopt;
  if (data < 0) return fail_errno("lseek SEEK_DATA");
  const off_t hole = ::lseek(fd, data, SEEK_HOLE);
  if (hole < 0 && errno == ENXIO) return std::nullopt;  // cut short since
  if (hole < 0) return fail_errno("lseek SEEK_HOLE");
  return FileExtent{static_cast<std::uint64_t>(data), static_cast<std::uint64_t>(hole - data)};
}

Status copy_sparse(int from, int to) {
  const auto info = TRY(sys::fstat(from));
  TRY(sys::ftruncate(to, static_cast<std::uint64_t>(info.st_size)));
  std::uint64_t at = 0;
  while (const auto data = TRY(next_data(from, at))) {
    at = data->offset + data->length;
    TRY(copy_range(from, to, static_cast<off_t>(data->offset), static_cast<off_t>(at)));
  }
  return {};
}

}  // namespace skerry
