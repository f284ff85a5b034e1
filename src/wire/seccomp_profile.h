// Seccomp profiles as people keep them in files, turned into what config.json takes.
//
// Two forms are read: the `linux.seccomp` object of the OCI runtime specification, and the one of Docker, Podman and
// Kubernetes, whose rules depend on capabilities, architecture and kernel ("includes", "excludes") and which names
// architectures by "archMap".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// What conditional rules are decided by.
struct SeccompTarget {
  std::vector<std::string> capabilities;  // of the container
  std::string architecture;               // Go's name: "amd64"
  unsigned kernel_major = 0;
  unsigned kernel_minor = 0;
};
// This machine, with those capabilities.
SeccompTarget this_seccomp_target(std::vector<std::string> capabilities);

// kInvalidArgument with the JSON path.
Result<Seccomp> parse_seccomp_profile(std::string_view json, const SeccompTarget& target);

}  // namespace skerry::oci
