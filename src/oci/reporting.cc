// LinuxRuntime: what it tells about itself and its containers (features, events), and what it cannot do yet.
#include <seccomp.h>

#include "base/sys_file.h"
#include "base/text.h"
#include "oci/capabilities.h"
#include "oci/cgroup_stats.h"
#include "oci/linux_runtime.h"
#include "oci/mount_options.h"
#include "wire/oci_spec_features.h"

namespace skerry::oci {

Result<std::string> LinuxRuntime::statistics(const std::string& id) {
  const auto view = TRY(state(id));
  if (view.status == ContainerStatus::kStopped || view.status == ContainerStatus::kCreating) {
    return fail(ErrorCode::kConflict, cat("container not running: \"", id, "\""));
  }
  return statistics_document(id, TRY(read_cgroup_statistics(view.record.cgroup)));
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
  out.apparmor = sys::exists("/sys/kernel/security/apparmor");
  out.selinux = sys::exists("/sys/fs/selinux/enforce");
  const scmp_version* version = ::seccomp_version();
  out.annotations["io.github.seccomp.libseccomp.version"] =
      cat(version->major, ".", version->minor, ".", version->micro);
  return to_json(out);
}

Status LinuxRuntime::checkpoint(const CheckpointRequest& request) {
  return fail(ErrorCode::kUnsupported, cat("checkpoint of \"", request.id, "\": this build cannot drive CRIU yet"));
}

Result<int> LinuxRuntime::restore(const RestoreRequest& request) {
  return fail(ErrorCode::kUnsupported,
              cat("restore of \"", request.run.create.id, "\": this build cannot drive CRIU yet"));
}

}  // namespace skerry::oci
