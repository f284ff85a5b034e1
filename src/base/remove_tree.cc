// Removing a directory tree that somebody hostile may have made: as deep as they like (no recursion, one descriptor),
// with symlinks anywhere (never followed), with mounts in it (never crossed), and changing while it is removed.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::sys {
namespace {

// A directory on the way down: what it is, and its name in the one above.
struct Level {
  dev_t device = 0;
  ino_t inode = 0;
  std::string name;
};

Error remove_error(const std::string& name) {
  Error error = Error::last(cat("remove ", name));
  if (error.sys_errno == EBUSY) error.hint = "it is a mount point";
  return error;
}

// Removes an entry that is a file or an empty directory. False: a directory with something in it.
Result<bool> remove_entry(int dir, const std::string& name) {
  if (::unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return true;
  if (errno != EISDIR && errno != EPERM) return fail(remove_error(name));
  if (::unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  if (errno == ENOTEMPTY || errno == EEXIST) return false;
  return fail(remove_error(name));
}

// The names in one answer of getdents64(2), whose records are: ino u64, off s64, reclen u16, type u8, name.
std::vector<std::string> names_in(const char* records, std::size_t size) {
  constexpr std::size_t kReclenAt = 16;
  constexpr std::size_t kNameAt = 19;
  std::vector<std::string> names;
  for (std::size_t at = 0; at + kNameAt < size;) {
    std::uint16_t length = 0;
    std::memcpy(&length, records + at + kReclenAt, sizeof length);
    std::string name(records + at + kNameAt);
    if (name != "." && name != "..") names.push_back(std::move(name));
    at += length;
  }
  return names;
}

// Removes what can be removed at once. The first subdirectory that has something in it, nullopt when all is gone.
Result<std::optional<std::string>> remove_children(int dir) {
  alignas(8) std::array<char, 32768> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by getdents64
  while (true) {
    // Entries go while the directory is read: begin anew until a pass finds nothing.
    if (::lseek(dir, 0, SEEK_SET) < 0) return fail_errno("lseek in a directory");
    const long got = ::syscall(SYS_getdents64, dir, buffer.data(), buffer.size());
    if (got < 0) return fail_errno("getdents64");
    const auto names = names_in(buffer.data(), static_cast<std::size_t>(got));
    if (names.empty()) return std::nullopt;
    for (const auto& name : names) {
      if (!TRY(remove_entry(dir, name))) return name;
    }
  }
}

Result<Level> identify(int dir, std::string name) {
  const auto info = TRY(fstat(dir));
  return Level{info.st_dev, info.st_ino, std::move(name)};
}

// Opens the directory above and checks that it is the one we came from: somebody may have moved ours away.
Result<Fd> go_up(int dir, const Level& above) {
  Fd parent = TRY(openat(dir, "..", O_RDONLY | O_DIRECTORY));
  const auto info = TRY(fstat(parent.get()));
  if (info.st_dev != above.device || info.st_ino != above.inode) {
    return fail(ErrorCode::kConflict, "a directory was moved while its tree was removed");
  }
  return parent;
}

// Empties the directory. Its own descriptor is the only one open, whatever the depth.
Status empty_directory(Fd current) {
  std::vector<Level> path{TRY(identify(current.get(), {}))};
  while (true) {
    if (auto below = TRY(remove_children(current.get()))) {
      Fd child = TRY(openat(current.get(), *below, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      Level level = TRY(identify(child.get(), *below));
      if (level.device != path.back().device) {
        return fail(ErrorCode::kConflict, cat("remove ", *below), "it is a mount point");
      }
      path.push_back(std::move(level));
      current = std::move(child);
      continue;
    }
    if (path.size() == 1) return {};
    const std::string name = std::move(path.back().name);
    path.pop_back();
    current = TRY(go_up(current.get(), path.back()));
    if (::unlinkat(current.get(), name.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) return fail(remove_error(name));
  }
}

Status remove_path(const std::string& path) {
  if (TRY(remove_entry(AT_FDCWD, path))) return {};
  TRY(empty_directory(TRY(open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))));
  if (::rmdir(path.c_str()) < 0 && errno != ENOENT) return fail(remove_error(path));
  return {};
}

}  // namespace

Status remove_tree(const std::string& path) { return annotate(remove_path(path), cat("remove tree ", path)); }

}  // namespace skerry::sys
