// skerry-oci: the OCI runtime. See cli.h for its command line and linux_runtime.h for the engine.
#include <string>
#include <vector>

#include "oci/cli.h"
#include "oci/linux_runtime.h"

int main(int argc, char** argv) {
  const skerry::oci::Face face{"skerry-oci",
                               "+namespaces +cgroup1 +cgroup2 +seccomp +capabilities +apparmor +selinux +idmap",
                               [](skerry::oci::RuntimeOptions options) {
                                 return std::make_unique<skerry::oci::LinuxRuntime>(std::move(options));
                               }};
  return skerry::oci::run_command_line(face, {argv + 1, argv + argc});
}
