#include "oci/sealed_copy.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <cerrno>

#include "base/executable_memory.h"
#include "base/sys_file.h"
#include "oci/final_exec.h"

namespace skerry::oci {
namespace {

constexpr const char* kOwnProgram = "/proc/self/exe";
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

Status copy_program(int program, int copy) {
  const auto size = static_cast<std::size_t>(TRY(sys::fstat(program)).st_size);
  for (std::size_t done = 0; done < size;) {
    const auto sent = ::sendfile(copy, program, nullptr, size - done);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return fail_errno("copy the runtime");
    done += static_cast<std::size_t>(sent);
  }
  if (::fcntl(copy, F_ADD_SEALS, kSeals) < 0) return fail_errno("seal the copy of the runtime");
  return {};
}

}  // namespace

bool can_hide_program() {
  unsigned size = 0;
  return ::prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) == 0;
}

bool runs_from_sealed_copy() {
  const auto program = sys::open(kOwnProgram, O_RDONLY);
  return program && ::fcntl(program->get(), F_GET_SEALS) == kSeals;
}

Status run_from_sealed_copy(char** argv) {
  if (can_hide_program() || runs_from_sealed_copy()) return {};
  const Fd program = TRY(sys::open(kOwnProgram, O_RDONLY));
  const Fd copy = TRY(executable_memory("skerry-oci"));
  TRY(copy_program(program.get(), copy.get()));
  ::fexecve(copy.get(), argv, environ);
  return fail_errno("run the copy of the runtime");
}

}  // namespace skerry::oci
