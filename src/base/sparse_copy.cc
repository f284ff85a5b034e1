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

Status copy_sparse(int from, int to) {
  const auto info = TRY(sys::fstat(from));
  TRY(sys::ftruncate(to, static_cast<std::uint64_t>(info.st_size)));
  off_t at = 0;
  while (true) {
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return {};
    if (data < 0) return fail_errno("lseek SEEK_DATA");
    at = ::lseek(from, data, SEEK_HOLE);
    if (at < 0) return fail_errno("lseek SEEK_HOLE");
    TRY(copy_range(from, to, data, at));
  }
}

}  // namespace skerry
