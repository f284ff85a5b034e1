#include "network/sysctl.h"

#include "base/file_io.h"
#include "base/text.h"

namespace skerry::network {

Status set_sysctl(const std::string& name, std::string_view value) {
  const std::string path = cat("/proc/sys/net/", name);
  const std::string old = TRY(read_file(path));
  if (trim(old) == value) return {};
  return annotate(write_existing(path, value), cat("set sysctl net/", name, " to ", value));
}

}  // namespace skerry::network
