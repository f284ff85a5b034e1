#include "oci/executable.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string_view search_path(const std::vector<std::string>& env) {
  for (const auto& entry : env) {
    if (entry.starts_with("PATH=")) return std::string_view(entry).substr(5);
  }
  return kDefaultPath;
}

// 0, or why it cannot be executed.
int why_not(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) < 0) return errno;
  if (!S_ISREG(info.st_mode)) return EACCES;
  if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) < 0) return errno;
  return 0;
}

std::unexpected<Error> cannot_run(const std::string& name, int reason) {
  // The wording is what callers look for (podman, containerd: exit 126 and 127).
  if (reason == EACCES || reason == EPERM) {
    return fail(Error{ErrorCode::kNotExecutable, 0, cat("exec: \"", name, "\": permission denied"), {}});
  }
  const bool is_path = name.find('/') != std::string::npos;
  const std::string tail = is_path ? "stat " + name + ": no such file or directory: executable file not found"
                                   : "executable file not found in $PATH";
  return fail(Error{ErrorCode::kCommandNotFound, 0, cat("exec: \"", name, "\": ", tail), {}});
}

}  // namespace

Result<std::string> find_executable(const std::string& name, const std::vector<std::string>& env) {
  if (name.empty()) return cannot_run(name, ENOENT);
  if (name.find('/') != std::string::npos) {
    const int reason = why_not(name);
    if (reason != 0) return cannot_run(name, reason);
    return name;
  }
  int reason = ENOENT;
  for (const auto directory : split(search_path(env), ':')) {
    const std::string candidate = cat(directory.empty() ? "." : directory, "/", name);
    const int answer = why_not(candidate);
    if (answer == 0) return candidate;
    // A file that may not be executed is the better explanation, unless another directory has one that may.
    if (answer == EACCES) reason = answer;
  }
  return cannot_run(name, reason);
}

}  // namespace skerry::oci
