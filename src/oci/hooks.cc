#include "oci/hooks.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>

#include "base/clock.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr std::size_t kMaxErrorText = 1024;
constexpr auto kForever = std::chrono::hours(24 * 365);

Result<Child> start_hook(const Hook& hook, const std::string& state, int stderr_fd) {
  // In a memory file instead of a pipe: a hook that never reads cannot block us.
  const Fd input = TRY(sys::memfd("state"));
  TRY(sys::write_all(input.get(), state));
  if (::lseek(input.get(), 0, SEEK_SET) < 0) return fail_errno("rewind");
  SpawnSpec spec;
  spec.program = hook.path;
  spec.argv = hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args;
  spec.env = hook.env;
  spec.fds = {{input.get(), 0}, {stderr_fd, 1}, {stderr_fd, 2}};
  return Child::spawn(spec);
}

// What it wrote, as far as it is there already.
std::string error_text(int fd) {
  std::array<char, kMaxErrorText> buffer{};
  const auto got = ::read(fd, buffer.data(), buffer.size());
  return got > 0 ? std::string(trim(std::string_view(buffer.data(), static_cast<std::size_t>(got)))) : std::string();
}

Status run_hook(const Hook& hook, const std::string& state) {
  const auto output = TRY(sys::pipe(O_NONBLOCK));
  Child child = TRY(start_hook(hook, state, output.write_end.get()));
  const Duration limit = hook.timeout_s ? Duration(std::chrono::seconds(*hook.timeout_s)) : Duration(kForever);
  const auto ended = child.wait(limit);
  if (!ended) {
    (void)child.signal(SIGKILL);
    (void)child.wait();
    return fail(ErrorCode::kDeadlineExceeded, cat("not done after ", hook.timeout_s.value_or(0), " s"));
  }
  if (ended->success()) return {};
  return fail(ErrorCode::kIo, cat(ended->describe(), ", output: ", error_text(output.read_end.get())));
}

}  // namespace

Status run_hooks(const std::vector<Hook>& hooks, std::string_view kind, const std::string& state) {
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    TRY_IN(cat("/hooks/", kind, "/", i, " (", hooks[i].path, ")"), run_hook(hooks[i], state));
  }
  return {};
}

std::vector<std::string> run_all_hooks(const std::vector<Hook>& hooks, std::string_view kind,
                                       const std::string& state) {
  std::vector<std::string> warnings;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const auto done = run_hook(hooks[i], state);
    if (!done) warnings.push_back(cat("/hooks/", kind, "/", i, " (", hooks[i].path, "): ", done.error().message()));
  }
  return warnings;
}

}  // namespace skerry::oci
