#include "drivers/container/sealed_program.h"

#include <fcntl.h>
#include <sys/sendfile.h>

#include <cerrno>
#include <utility>

#include "base/executable_memory.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {

Result<Fd> sealed_program(const std::string& path) {
  const Fd program = TRY(sys::open(path, O_RDONLY));
  const auto size = static_cast<std::size_t>(TRY(sys::fstat(program.get())).st_size);
  Fd copy = TRY(executable_memory("skerry-agent"));
  for (std::size_t done = 0; done < size;) {
    const auto sent = ::sendfile(copy.get(), program.get(), nullptr, size - done);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail_errno(cat("copy ", path));
    if (sent == 0) return fail(ErrorCode::kConflict, cat(path, " was cut short while it was read"));
    done += static_cast<std::size_t>(sent);
  }
  return sealed_memory(std::move(copy));
}

}  // namespace skerry
