#include "base/executable_memory.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {

Result<Fd> executable_memory(const std::string& name) {
  constexpr unsigned kExecutable = 0x10;  // MFD_EXEC, Linux 6.3
  int fd = ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | kExecutable);
  if (fd < 0 && errno == EINVAL) fd = ::memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fail_errno(cat("memfd_create ", name));
  return Fd(fd);
}

Result<Fd> sealed_memory(Fd memory) {
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (::fcntl(memory.get(), F_ADD_SEALS, kSeals) < 0) return fail_errno("seal memory file");
  return sys::open(cat("/proc/self/fd/", memory.get()), O_RDONLY);
}

}  // namespace skerry
