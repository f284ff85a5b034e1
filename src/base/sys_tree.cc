#include "base/sys_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/fd.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::sys {

Status renameat(int from_dir_fd, const std::string& from, int to_dir_fd, const std::string& to) {
  if (::renameat(from_dir_fd, from.c_str(), to_dir_fd, to.c_str()) < 0) return fail_errno(cat("rename ", to));
  return {};
}

Result<std::string> readlinkat(int dir_fd, const std::string& name) {
  std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlinkat
  const auto size = ::readlinkat(dir_fd, name.c_str(), buffer.data(), buffer.size());
  if (size < 0) return fail_errno(cat("readlink ", name));
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

Result<std::vector<std::string>> list_directory_at(int dir_fd) {
  // The stream takes the descriptor it is made from; this one has a position of its own.
  Fd own = TRY(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own.get()), &::closedir);
  if (!stream) return fail_errno("fdopendir");
  static_cast<void>(own.release());
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail_errno("readdir");
  std::ranges::sort(names);
  return names;
}

Result<std::string> realpath(const std::string& path) {
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), &::free);
  if (!real) return fail_errno(path);
  return std::string(real.get());
}

}  // namespace skerry::sys
