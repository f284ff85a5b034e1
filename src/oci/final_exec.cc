#include "oci/final_exec.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <new>

#include "base/executable_memory.h"
#include "base/signals.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/final_exec_code.h"
#include "oci/sealed_copy.h"
#include "oci/seccomp_evaluation.h"
#include "oci/status_message.h"

// The first and the last byte of the program in memory (ld.so(8), end(3)).
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" const char __executable_start[];
extern "C" const char _end[];
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

namespace skerry::oci {
namespace {

constexpr std::size_t kPage = 4096;

std::size_t round_up(std::size_t value) { return (value + kPage - 1) & ~(kPage - 1); }

std::size_t bytes_of(const std::vector<std::string>& texts) {
  std::size_t bytes = (texts.size() + 1) * sizeof(char*);
  for (const auto& text : texts) bytes += text.size() + 1;
  return bytes;
}

// Memory that belongs to no file and stays when the program is unmapped; handed out from front to back.
class Arena {
 public:
  static Result<Arena> create(std::size_t bytes) {
    const std::size_t size = round_up(bytes);
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return fail_errno("mmap");
    return Arena(static_cast<char*>(memory), size);
  }

  void* take(std::size_t bytes) {
    used_ = (used_ + 15) & ~std::size_t{15};
    void* out = base_ + used_;
    used_ += bytes;
    return out;
  }
  char* copy(std::string_view text) {
    auto* out = static_cast<char*>(take(text.size() + 1));
    std::memcpy(out, text.data(), text.size());
    return out;  // the zero behind it is there: fresh pages are zero
  }
  char** copy(const std::vector<std::string>& texts) {
    auto** out = static_cast<char**>(take((texts.size() + 1) * sizeof(char*)));
    for (std::size_t i = 0; i < texts.size(); ++i) out[i] = copy(texts[i]);
    return out;
  }

 private:
  Arena(char* base, std::size_t size) : base_(base), size_(size) {}
  char* base_;
  std::size_t size_;
  std::size_t used_ = 0;
};

std::size_t arena_bytes(const FinalRequest& request) {
  // Alignment costs at most 16 bytes a piece.
  std::size_t pieces = 16 + request.args.size() + request.env.size();
  std::size_t bytes = sizeof(FinalPlan) + bytes_of(request.args) + bytes_of(request.env) + request.path.size() +
                      request.title.size() + 64 + sizeof(StatusHeader) + sizeof(iovec) + sizeof(msghdr) +
                      CMSG_SPACE(sizeof(int));
  for (const auto& hook : request.hooks) {
    // One argument more: the path stands in for missing ones.
    bytes += sizeof(FinalHook) + bytes_of(hook.args) + bytes_of(hook.env) + 2 * hook.path.size() + 2 * sizeof(char*);
    pieces += 5 + hook.args.size() + hook.env.size();
  }
  if (request.seccomp != nullptr) bytes += request.seccomp->program.size() * sizeof(sock_filter);
  return bytes + pieces * 16;
}

// One header and one descriptor, whose number is known later.
void fill_listener_message(FinalPlan& plan, Arena& arena) {
  auto* header = new (arena.take(sizeof(StatusHeader))) StatusHeader{StatusKind::kListener, 0, 0};
  auto* part = new (arena.take(sizeof(iovec))) iovec{header, sizeof *header};
  auto* message = new (arena.take(sizeof(msghdr))) msghdr{};
  message->msg_iov = part;
  message->msg_iovlen = 1;
  message->msg_control = arena.take(CMSG_SPACE(sizeof(int)));
  message->msg_controllen = CMSG_SPACE(sizeof(int));
  cmsghdr* control = CMSG_FIRSTHDR(message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof(int));
  plan.listener_message = message;
  plan.listener_slot = reinterpret_cast<int*>(CMSG_DATA(control));
}

void fill_capabilities(FinalPlan& plan, const CapabilityPlan& wanted) {
  plan.set_capabilities = true;
  plan.capability_header.version = _LINUX_CAPABILITY_VERSION_3;
  for (unsigned half = 0; half < 2; ++half) {
    plan.capability_data[half].effective = static_cast<std::uint32_t>(wanted.effective >> (32 * half));
    plan.capability_data[half].permitted = static_cast<std::uint32_t>(wanted.permitted >> (32 * half));
    plan.capability_data[half].inheritable = static_cast<std::uint32_t>(wanted.inheritable >> (32 * half));
  }
  plan.ambient = wanted.ambient;
}

// All fields must be ordered addresses of user memory (prctl(2)); only the command line and the executable matter.
void fill_memory_map(FinalPlan& plan, const char* title, std::size_t title_bytes, int disguise_fd) {
  const auto here = reinterpret_cast<std::uint64_t>(&plan);
  prctl_mm_map& map = plan.memory_map;
  map.start_code = here;
  map.end_code = here + 1;
  map.start_data = map.end_data = map.start_brk = map.brk = map.start_stack = here;
  map.arg_start = reinterpret_cast<std::uint64_t>(title);
  map.arg_end = map.arg_start + title_bytes;
  map.env_start = map.env_end = map.arg_end;
  map.exe_fd = static_cast<std::uint32_t>(disguise_fd);
}

// What the code calls between an early filter and the program, except for what it would call with a late one as well.
bool allows_last_steps(const std::vector<sock_filter>& program) {
  const std::array calls = {
      SystemCall{SYS_prctl, {PR_SET_DUMPABLE}},
      SystemCall{SYS_prctl, {PR_SET_PDEATHSIG}},
      SystemCall{SYS_clone, {CLONE_PARENT | SIGCHLD}},
      SystemCall{SYS_setsid, {}},
      SystemCall{SYS_ioctl, {0, TIOCSCTTY}},
      SystemCall{SYS_write, {3}},
      SystemCall{SYS_read, {3}},
      SystemCall{SYS_accept4, {3, 0, 0, SOCK_CLOEXEC}},
      SystemCall{SYS_close, {3}},
      SystemCall{SYS_exit_group, {}},
  };
  return std::ranges::all_of(calls, [&](const SystemCall& one) { return seccomp_allows(program, one); });
}

Result<Fd> state_file(const std::string& state) {
  Fd file = TRY(sys::memfd("state"));
  TRY(sys::write_all(file.get(), state));
  if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno("rewind");
  return file;
}

// The descriptors stay open for the code: they are closed by exec.
Status fill_hooks(FinalPlan& plan, const FinalRequest& request, Arena& arena) {
  auto* hooks = static_cast<FinalHook*>(arena.take(request.hooks.size() * sizeof(FinalHook)));
  for (std::size_t i = 0; i < request.hooks.size(); ++i) {
    const Hook& hook = request.hooks[i];
    FinalHook& out = *new (&hooks[i]) FinalHook{};
    out.path = arena.copy(hook.path);
    out.argv = arena.copy(hook.args.empty() ? std::vector<std::string>{hook.path} : hook.args);
    out.envp = arena.copy(hook.env);
    out.timeout_s = static_cast<std::uint32_t>(std::clamp<std::int64_t>(hook.timeout_s.value_or(0), 0, INT32_MAX));
    out.state_fd = TRY(state_file(request.hook_state)).release();
    auto output = TRY(sys::pipe(O_NONBLOCK));
    out.output_read = output.read_end.release();
    out.output_write = output.write_end.release();
  }
  plan.hooks = hooks;
  plan.hook_count = static_cast<std::uint32_t>(request.hooks.size());
  return {};
}

FinalPlan* fill_plan(const FinalRequest& request, Arena& arena) {
  auto* plan = new (arena.take(sizeof(FinalPlan))) FinalPlan{};
  const auto begin = reinterpret_cast<std::uintptr_t>(__executable_start) & ~(kPage - 1);
  plan->image_begin = begin;
  plan->image_size = round_up(reinterpret_cast<std::uintptr_t>(_end)) - begin;
  plan->status_fd = request.status_fd;
  plan->start_listener = request.start_listener;
  plan->hide_program = request.disguise_fd >= 0;
  plan->report_ready = request.report_ready;
  plan->fork_last = request.fork_last;
  plan->has_terminal = request.has_terminal;
  plan->no_new_privileges = request.no_new_privileges;
  plan->seccomp_first = !request.no_new_privileges;
  if (request.seccomp != nullptr) {
    const auto& program = request.seccomp->program;
    auto* copy = static_cast<sock_filter*>(arena.take(program.size() * sizeof(sock_filter)));
    std::ranges::copy(program, copy);
    plan->seccomp = {static_cast<unsigned short>(program.size()), copy};
    plan->seccomp_flags = request.seccomp->flags;
    if (request.seccomp->notifies) fill_listener_message(*plan, arena);
    // The listener is handed over behind the start.
    plan->seccomp_early = !request.seccomp->notifies && allows_last_steps(program);
  } else {
    plan->seccomp_early = true;
  }
  if (request.capabilities != nullptr) fill_capabilities(*plan, *request.capabilities);
  plan->path = arena.copy(request.path);
  plan->argv = arena.copy(request.args);
  plan->envp = arena.copy(request.env);
  fill_memory_map(*plan, arena.copy(request.title), request.title.size() + 1, request.disguise_fd);
  return plan;
}

// Never writable and executable at the same time.
Result<FinalEntry> copy_code() {
  const auto size = static_cast<std::size_t>(__stop_skerry_final - __start_skerry_final);
  void* code = ::mmap(nullptr, round_up(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) return fail_errno("mmap");
  std::memcpy(code, __start_skerry_final, size);
  if (::mprotect(code, round_up(size), PROT_READ | PROT_EXEC) < 0) return fail_errno("mprotect");
  const auto offset = reinterpret_cast<const char*>(&skerry_final_code) - __start_skerry_final;
  return reinterpret_cast<FinalEntry>(static_cast<char*>(code) + offset);
}

// A handler would lie in the unmapped program; blocked until just before the exec, as dispositions survive it.
void quiet_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  reset_signal_actions();
}

}  // namespace

std::string_view final_step_name(FinalStep step) {
  switch (step) {
    case FinalStep::kNone: return "nothing";
    case FinalStep::kHideRuntime: return "hide the runtime's program (PR_SET_MM_MAP)";
    case FinalStep::kFork: return "enter the PID namespace (clone)";
    case FinalStep::kWait: return "wait for the start";
    case FinalStep::kSeccomp: return "install the seccomp filter";
    case FinalStep::kListener: return "hand over the seccomp listener";
    case FinalStep::kCapabilities: return "set the capabilities";
    case FinalStep::kAmbient: return "raise an ambient capability";
    case FinalStep::kNoNewPrivileges: return "set no_new_privs";
    case FinalStep::kHook: return "run a startContainer hook";
    case FinalStep::kExec: return "exec";
  }
  return "unknown step";
}

Result<Fd> make_disguise() {
  if (!can_hide_program()) {
    if (runs_from_sealed_copy()) return Fd();
    return fail(ErrorCode::kUnsupported, "the runtime's program cannot be hidden from the container");
  }
  return sealed_memory(TRY(executable_memory("skerry-oci")));
}

Result<void> run_final_steps(const FinalRequest& request) {
  Arena arena = TRY(Arena::create(arena_bytes(request)));
  FinalPlan* plan = fill_plan(request, arena);
  TRY(fill_hooks(*plan, request, arena));
  const FinalEntry enter = TRY(copy_code());
  quiet_signals();
  enter(plan);
  return fail(ErrorCode::kInternal, "the final steps returned");
}

}  // namespace skerry::oci
