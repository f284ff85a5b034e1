#include "agent/modules.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {

std::string load_modules(const std::string& directory) {
  const auto order = read_file(directory + "/order", 65536);
  if (!order) return {};
  std::string failed;
  for (const auto line : split(*order, '\n')) {
    const auto name = trim(line);
    if (name.empty()) continue;
    const auto file = sys::open(cat(directory, "/", name), O_RDONLY);
    const long loaded = file ? ::syscall(SYS_finit_module, file->get(), "", 0) : -1;
    if (loaded < 0 && errno != EEXIST) failed += cat(failed.empty() ? "" : ", ", name, ": ", std::strerror(errno));
  }
  return failed;
}

}  // namespace skerry::agent
