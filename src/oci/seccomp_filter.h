// The seccomp filter of a container: config.json's rules compiled to BPF by libseccomp, and remembered on disk.
//
// Compiling costs milliseconds, loading the result from a file microseconds. A cache entry carries its whole key (the
// rules as text), so a wrong one cannot be taken; entries are written atomically below the runtime's own directory, and
// whatever is wrong with the cache only means compiling again.
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

struct SeccompFilter {
  std::vector<sock_filter> program;
  unsigned flags = 0;     // SECCOMP_FILTER_FLAG_*
  bool notifies = false;  // some rule answers SCMP_ACT_NOTIFY: the listener must be handed to listenerPath
};

// Compiles, or loads from `cache_directory` (empty: no cache). Errors name the JSON path below /linux/seccomp.
Result<SeccompFilter> seccomp_filter(const Seccomp& seccomp, const std::string& cache_directory);

}  // namespace skerry::oci
