// System calls on files and directories, each wrapped once. Every descriptor is opened O_CLOEXEC. Errors carry the call
// and the path in `step`. Names follow the man pages in section 2.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::sys {

// open(2). `flags` gets O_CLOEXEC added; EINTR is retried.
Result<Fd> open(const std::string& path, int flags, mode_t mode = 0);
// openat(2).
Result<Fd> openat(int dir_fd, const std::string& path, int flags, mode_t mode = 0);
// openat2(2) with RESOLVE_* flags in `resolve`; EAGAIN (a rename raced the walk) is retried a bounded number of times.
Result<Fd> openat2(int dir_fd, const std::string& path, std::uint64_t flags, std::uint64_t resolve, mode_t mode = 0);

Result<struct stat> fstat(int fd);
Result<struct stat> stat(const std::string& path);
Result<struct stat> lstat(const std::string& path);
// fstatat(2) with AT_SYMLINK_NOFOLLOW.
Result<struct stat> lstatat(int dir_fd, const std::string& path);
// Whether the path exists (a dangling symlink does).
bool exists(const std::string& path);
// Whether the kernel says that there is nothing. Not the opposite of exists(): both are false when it cannot tell.
bool is_missing(const std::string& path);

// read(2) once, retrying EINTR; 0 at end of file.
Result<std::size_t> read(int fd, void* buffer, std::size_t size);
// write(2) once, retrying EINTR: how much was taken. For sockets and pipes that must not block (EAGAIN in sys_errno).
Result<std::size_t> write_some(int fd, std::string_view data);
// write(2) until all is written.
Status write_all(int fd, std::string_view data);
// Reads to the end; fails with kResourceExhausted when there is more than `limit` bytes.
Result<std::string> read_to_end(int fd, std::size_t limit);

// The names in a directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory(const std::string& path);

Status mkdir(const std::string& path, mode_t mode);
// Creates the missing parents too; an existing directory is fine.
Status mkdir_all(const std::string& path, mode_t mode);
Status unlink(const std::string& path);
Status rmdir(const std::string& path);
Status rename(const std::string& from, const std::string& to);
// A second name for the same file (link(2)).
Status link(const std::string& from, const std::string& to);
Status symlink(const std::string& target, const std::string& path);
Result<std::string> readlink(const std::string& path);
Status chmod(const std::string& path, mode_t mode);
Status chown(const std::string& path, uid_t uid, gid_t gid);
Status ftruncate(int fd, std::uint64_t size);
Status fsync(int fd);

// flock(2). kExclusive without waiting fails with kConflict when somebody else holds it.
enum class LockMode : std::uint8_t { kShared, kExclusive };
enum class LockWait : std::uint8_t { kWait, kTry };
Status flock(int fd, LockMode mode, LockWait wait);

struct Pipe {
  Fd read_end;
  Fd write_end;
};
// pipe2(2), O_CLOEXEC plus `flags`.
Result<Pipe> pipe(int flags = 0);
// memfd_create(2) with MFD_CLOEXEC | MFD_ALLOW_SEALING.
Result<Fd> memfd(const std::string& name);
Result<Fd> dup(int fd);
Status set_nonblocking(int fd);
// Clears or sets FD_CLOEXEC. Only for descriptors that a child shall inherit.
Status set_cloexec(int fd, bool on);

// Removes a directory tree without ever following a symlink or crossing a mount point. Missing is success.
Status remove_tree(const std::string& path);

}  // namespace skerry::sys
