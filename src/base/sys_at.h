// System calls that work on a name inside an open directory, or on an open file's attributes. For walks that must not
// follow paths twice (unpacking what strangers wrote). Each is wrapped once; names follow the man pages in section 2.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::sys {

Status mkdirat(int dir_fd, const std::string& name, mode_t mode);
// `mode` with the file type; the umask applies: set the permissions afterwards with fchmodat().
Status mknodat(int dir_fd, const std::string& name, mode_t mode, std::uint32_t major, std::uint32_t minor);
Status symlinkat(const std::string& target, int dir_fd, const std::string& name);
// Never follows a symlink at `from`.
Status linkat(int from_dir_fd, const std::string& from, int to_dir_fd, const std::string& to);
Status unlinkat(int dir_fd, const std::string& name);

Status fchmod(int fd, mode_t mode);
// Follows symlinks (the kernel has no other way): only for names that are known not to be one.
Status fchmodat(int dir_fd, const std::string& name, mode_t mode);
Status fchown(int fd, uid_t uid, gid_t gid);
// Of the symlink itself, if it is one.
Status lchownat(int dir_fd, const std::string& name, uid_t uid, gid_t gid);
// Sets access and modification time.
Status futimens(int fd, const timespec& time);
Status lutimensat(int dir_fd, const std::string& name, const timespec& time);
Status fsetxattr(int fd, const std::string& name, std::string_view value);
// The names, sorted.
Result<std::vector<std::string>> flistxattr(int fd);
Result<std::string> fgetxattr(int fd, const std::string& name);
// 0 at the end of the file.
Result<std::size_t> pread(int fd, void* buffer, std::size_t size, std::uint64_t offset);
// pwrite(2) until all is written.
Status pwrite_all(int fd, std::string_view data, std::uint64_t offset);

}  // namespace skerry::sys
