// LinuxRuntime: what it tells about itself and its containers (features, events).
#include <poll.h>
#include <seccomp.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/capabilities.h"
#include "oci/cgroup_oom.h"
#include "oci/cgroup_stats.h"
#include "oci/linux_runtime.h"
#include "oci/mount_options.h"
#include "wire/oci_spec_features.h"

namespace skerry::oci {
namespace {

// The kernel wakes a watcher of v1 when it begins to look for a victim, and counts the victim when it has one.
constexpr int kLookAgainMs = 10;
constexpr int kLooks = 200;

}  // namespace

Result<std::string> LinuxRuntime::statistics(const std::string& id) {
  const auto view = TRY(state(id));
  if (view.status == ContainerStatus::kStopped || view.status == ContainerStatus::kCreating) {
    return fail(ErrorCode::kConflict, cat("container not running: \"", id, "\""));
  }
  return statistics_document(id, TRY(read_cgroup_statistics(view.record.cgroup)));
}

Status LinuxRuntime::watch(const std::string& id, std::chrono::milliseconds interval, const TakeEvent& take) {
  const auto first = TRY(statistics(id));
  const auto record = TRY(store_.load(id));
  const Fd process = TRY(open_same_process(record.pid, record.pid_start_time));
  auto oom = OomWatch::open(record.cgroup);
  // Without a memory controller there is no such event; the numbers go on.
  if (!oom && oom.error().code != ErrorCode::kUnsupported) return fail(std::move(oom).error());
  // Only now: who has read the first document may rely on being told.
  TRY(take(first));
  const SystemClock clock;
  auto next = clock.monotonic() + interval;
  int looks = 0;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(next - clock.monotonic());
    std::array<pollfd, 2> wait = {pollfd{process.get(), POLLIN, 0},
                                  pollfd{oom ? oom->fd() : -1, oom ? oom->poll_events() : short{0}, 0}};
    const bool due = left.count() <= 0;
    const int timeout = static_cast<int>(looks > 0 ? std::min<std::int64_t>(left.count(), kLookAgainMs) : left.count());
    const int ready = due ? 0 : ::poll(wait.data(), wait.size(), timeout);
    if (ready < 0 && errno != EINTR) return fail_errno("wait for events");
    if (ready > 0 && wait[1].revents != 0) looks = kLooks;
    // Asked first: what ended the container's own process is told as well.
    const bool ended = ready > 0 && wait[0].revents != 0;
    if (oom && (looks-- > 0 || ended) && oom->happened()) {
      looks = 0;
      TRY(take(oom_document(id)));
    }
    looks = std::max(looks, 0);
    if (ended) return {};
    if (!due) continue;
    TRY(take(TRY(statistics(id))));
    next = next + interval;
  }
}

Result<std::string> LinuxRuntime::features() {
  Features out;
  out.mount_options = known_mount_options();
  out.namespaces = {"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"};
  out.capabilities = known_capabilities();
  out.seccomp_archs = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64",
                       "SCMP_ARCH_S390X",   "SCMP_ARCH_X32", "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64"};
  out.seccomp_flags = {"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
                       "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
  out.systemd_cgroups = true;
  out.net_devices = true;
  out.apparmor = sys::exists("/sys/kernel/security/apparmor");
  out.selinux = sys::exists("/sys/fs/selinux/enforce");
  const scmp_version* version = ::seccomp_version();
  out.annotations["io.github.seccomp.libseccomp.version"] =
      cat(version->major, ".", version->minor, ".", version->micro);
  return to_json(out);
}

}  // namespace skerry::oci
