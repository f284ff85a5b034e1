#include "oci/copy_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <memory>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr int kMaxDepth = 256;

Status copy_level(int from, int to, int depth);

Status set_owner_and_times(int to, const std::string& name, const struct stat& info) {
  if (::fchownat(to, name.c_str(), info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
    return fail_errno("chown " + name);
  const timespec times[2] = {info.st_atim, info.st_mtim};
  if (::utimensat(to, name.c_str(), times, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno("utimensat " + name);
  return {};
}

Status copy_file(int from, int to, const std::string& name, const struct stat& info) {
  const Fd source = TRY(sys::openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  const Fd target = TRY(sys::openat(to, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
  for (;;) {
    const auto moved = ::sendfile(target.get(), source.get(), nullptr, 1U << 20U);
    if (moved < 0) return fail_errno("copy " + name);
    if (moved == 0) break;
  }
  TRY(set_owner_and_times(to, name, info));
  // After the owner: changing that clears set-user-id.
  if (::fchmod(target.get(), info.st_mode & 07777U) < 0) return fail_errno("chmod " + name);
  return {};
}

Status copy_link(int from, int to, const std::string& name) {
  char target[PATH_MAX];
  const auto length = ::readlinkat(from, name.c_str(), target, sizeof target - 1);
  if (length < 0) return fail_errno("readlink " + name);
  target[length] = '\0';
  if (::symlinkat(target, to, name.c_str()) < 0) return fail_errno("symlink " + name);
  return {};
}

Status copy_directory(int from, int to, const std::string& name, const struct stat& info, int depth) {
  const Fd source = TRY(sys::openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (::mkdirat(to, name.c_str(), 0700) < 0) return fail_errno("mkdir " + name);
  const Fd target = TRY(sys::openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY(copy_level(source.get(), target.get(), depth + 1));
  if (::fchmod(target.get(), info.st_mode & 07777U) < 0) return fail_errno("chmod " + name);
  return set_owner_and_times(to, name, info);
}

Status copy_level(int from, int to, int depth) {
  if (depth > kMaxDepth) return fail(ErrorCode::kResourceExhausted, "tmpcopyup: directories nest too deep");
  const int listing = ::openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (listing < 0) return fail_errno("open directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(listing), ::closedir);
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const auto info = TRY(sys::lstatat(from, name));
    if (S_ISREG(info.st_mode)) TRY(copy_file(from, to, name, info));
    if (S_ISLNK(info.st_mode)) TRY(copy_link(from, to, name));
    if (S_ISDIR(info.st_mode)) TRY(copy_directory(from, to, name, info, depth));
  }
  return {};
}

}  // namespace

Status copy_tree(int from_dir_fd, int to_dir_fd) { return copy_level(from_dir_fd, to_dir_fd, 0); }

}  // namespace skerry::oci
