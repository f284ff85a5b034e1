#include "network/sysctl.h"

#include <fcntl.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::network {

Status set_sysctl(const std::string& name, std::string_view value) {
  const std::string path = cat("/proc/sys/net/", name);
  const std::string old = TRY(read_file(path));
  if (trim(old) == value) return {};
  return annotate(write_existing(path, value), cat("set sysctl net/", name, " to ", value));
}

Status set_sysctls(const std::string& directory, std::initializer_list<Sysctl> settings) {
  const Fd opened = TRY(sys::open(cat("/proc/sys/net/", directory), O_PATH | O_DIRECTORY));
  for (const auto& each : settings) {
    TRY_IN(cat("set sysctl net/", directory, "/", each.name, " to ", each.value),
           write_existing(cat("/proc/self/fd/", opened.get(), "/", each.name), each.value));
  }
  return {};
}

}  // namespace skerry::network
