// System calls for walks through trees of files, beside those of base/sys_at.h. Each is wrapped once.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace skerry::sys {

// Replaces what had the name, but for directories (EISDIR). Two names of one file: nothing happens to either.
Status renameat(int from_dir_fd, const std::string& from, int to_dir_fd, const std::string& to);
Result<std::string> readlinkat(int dir_fd, const std::string& name);
// The names in an open directory, sorted, without "." and "..".
Result<std::vector<std::string>> list_directory_at(int dir_fd);
// The path without symbolic links, "." and ".."; all of it must be there (realpath(3)).
Result<std::string> realpath(const std::string& path);

}  // namespace skerry::sys
