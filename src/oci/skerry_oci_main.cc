// skerry-oci: the OCI runtime. See cli.h for its command line and linux_runtime.h for the engine.
#include <string>
#include <vector>

#include "oci/cli.h"
#include "oci/linux_runtime.h"
#include "oci/sealed_copy.h"

int main(int argc, char** argv) {
  const skerry::oci::Face face{"skerry-oci",
                               "+namespaces +cgroup1 +cgroup2 +seccomp +capabilities +apparmor +selinux +idmap",
                               [](skerry::oci::RuntimeOptions options) {
                                 return std::make_unique<skerry::oci::LinuxRuntime>(std::move(options));
                               }};
  // Failing is not an error yet: only making containers needs it, and says so (make_disguise()).
  (void)skerry::oci::run_from_sealed_copy(argv);
  return skerry::oci::run_command_line(face, {argv + 1, argv + argc});
}
