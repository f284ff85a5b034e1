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

Result<Fd> SealedPrograms::open(const std::string& id) {
  if (path_.empty()) return fail(ErrorCode::kUnsupported, "copy files: this daemon was given no skerry-agent");
  const std::lock_guard lock(mutex_);
  auto& copy = copies_[id];
  if (!copy) copy = TRY_IN("skerry-agent", sealed_program(path_));
  return sys::dup(copy.get());
}

void SealedPrograms::forget(const std::string& id) {
  const std::lock_guard lock(mutex_);
  copies_.erase(id);
}

}  // namespace skerry
