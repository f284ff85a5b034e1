#include "base/sys_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"

namespace skerry::sys {
namespace {

template <typename Call>
auto retry_eintr(Call call) {
  decltype(call()) answer{};
  do {
    answer = call();
  } while (answer < 0 && errno == EINTR);
  return answer;
}

Status check(int answer, std::string_view call, std::string_view path) {
  if (answer < 0) return fail_errno(cat(call, " ", path));
  return {};
}

}  // namespace

Result<Fd> open(const std::string& path, int flags, mode_t mode) { return openat(AT_FDCWD, path, flags, mode); }

Result<Fd> openat(int dir_fd, const std::string& path, int flags, mode_t mode) {
  const int fd = retry_eintr([&] { return ::openat(dir_fd, path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) return fail_errno(cat("open ", path));
  return Fd(fd);
}

Result<Fd> openat2(int dir_fd, const std::string& path, std::uint64_t flags, std::uint64_t resolve, mode_t mode) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  constexpr int kAttempts = 128;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const long fd = ::syscall(SYS_openat2, dir_fd, path.c_str(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return fail_errno(cat("openat2 ", path));
}

Result<struct stat> fstat(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) < 0) return fail_errno(cat("fstat fd ", fd));
  return info;
}

Result<struct stat> stat(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) < 0) return fail_errno(cat("stat ", path));
  return info;
}

Result<struct stat> lstat(const std::string& path) { return lstatat(AT_FDCWD, path); }

Result<struct stat> lstatat(int dir_fd, const std::string& path) {
  struct stat info{};
  if (::fstatat(dir_fd, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) return fail_errno(cat("lstat ", path));
  return info;
}

bool exists(const std::string& path) { return lstat(path).has_value(); }

bool is_missing(const std::string& path) {
  const auto info = lstat(path);
  return !info && (info.error().sys_errno == ENOENT || info.error().sys_errno == ENOTDIR);
}

Result<std::size_t> read(int fd, void* buffer, std::size_t size) {
  const auto got = retry_eintr([&] { return ::read(fd, buffer, size); });
  if (got < 0) return fail_errno(cat("read fd ", fd));
  return static_cast<std::size_t>(got);
}

Result<std::size_t> write_some(int fd, std::string_view data) {
  const auto put = retry_eintr([&] { return ::write(fd, data.data(), data.size()); });
  if (put < 0) return fail_errno(cat("write fd ", fd));
  return static_cast<std::size_t>(put);
}

Status write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const auto put = retry_eintr([&] { return ::write(fd, data.data(), data.size()); });
    if (put < 0) return fail_errno(cat("write fd ", fd));
    data.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

Result<std::string> read_to_end(int fd, std::size_t limit) {
  std::string out;
  std::array<char, 16384> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
  while (true) {
    const auto got = TRY(read(fd, buffer.data(), buffer.size()));
    if (got == 0) return out;
    if (out.size() + got > limit) return fail(ErrorCode::kResourceExhausted, cat("more than ", limit, " bytes"));
    out.append(buffer.data(), got);
  }
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  DIR* stream = ::opendir(path.c_str());
  if (stream == nullptr) return fail_errno(cat("opendir ", path));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  const int err = errno;
  ::closedir(stream);
  if (err != 0) return fail(Error::from_errno(err, cat("readdir ", path)));
  std::ranges::sort(names);
  return names;
}

Status mkdir(const std::string& path, mode_t mode) { return check(::mkdir(path.c_str(), mode), "mkdir", path); }

Status mkdir_all(const std::string& path, mode_t mode) {
  for (std::size_t at = path.find('/', 1); true; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), mode) < 0 && errno != EEXIST) return fail_errno(cat("mkdir ", part));
    if (at == std::string::npos) break;
  }
  const auto info = TRY(stat(path));
  if (!S_ISDIR(info.st_mode)) return fail(Error::from_errno(ENOTDIR, cat("mkdir ", path)));
  return {};
}

Status unlink(const std::string& path) { return check(::unlink(path.c_str()), "unlink", path); }
Status rmdir(const std::string& path) { return check(::rmdir(path.c_str()), "rmdir", path); }
Status rename(const std::string& from, const std::string& to) {
  return check(::rename(from.c_str(), to.c_str()), "rename", cat(from, " to ", to));
}
Status link(const std::string& from, const std::string& to) {
  return check(::link(from.c_str(), to.c_str()), "link", cat(from, " to ", to));
}

Status symlink(const std::string& target, const std::string& path) {
  return check(::symlink(target.c_str(), path.c_str()), "symlink", path);
}

Result<std::string> readlink(const std::string& path) {
  std::array<char, 4096> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by readlink
  const auto size = ::readlink(path.c_str(), buffer.data(), buffer.size());
  if (size < 0) return fail_errno(cat("readlink ", path));
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

Status chmod(const std::string& path, mode_t mode) { return check(::chmod(path.c_str(), mode), "chmod", path); }
Status chown(const std::string& path, uid_t uid, gid_t gid) {
  return check(::chown(path.c_str(), uid, gid), "chown", path);
}
Status ftruncate(int fd, std::uint64_t size) {
  return check(::ftruncate(fd, static_cast<off_t>(size)), "ftruncate", cat("fd ", fd));
}
Status fsync(int fd) { return check(::fsync(fd), "fsync", cat("fd ", fd)); }

Status flock(int fd, LockMode mode, LockWait wait) {
  const int operation = (mode == LockMode::kShared ? LOCK_SH : LOCK_EX) | (wait == LockWait::kTry ? LOCK_NB : 0);
  if (retry_eintr([&] { return ::flock(fd, operation); }) < 0) {
    if (errno == EWOULDBLOCK) return fail(ErrorCode::kConflict, "the lock is held by another process");
    return fail_errno(cat("flock fd ", fd));
  }
  return {};
}

Result<Pipe> pipe(int flags) {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), flags | O_CLOEXEC) < 0) return fail_errno("pipe2");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

Result<Fd> memfd(const std::string& name) {
  const int fd = ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fail_errno(cat("memfd_create ", name));
  return Fd(fd);
}

Result<Fd> dup(int fd) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return fail_errno(cat("dup fd ", fd));
  return Fd(copy);
}

Status set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return fail_errno(cat("fcntl O_NONBLOCK fd ", fd));
  return {};
}

Status set_cloexec(int fd, bool on) {
  return check(::fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0), "fcntl FD_CLOEXEC", cat("fd ", fd));
}

}  // namespace skerry::sys
