// What of a container lies outside of it, told to CRIU at both ends: bind mounts, device nodes of the host, joined
// namespaces, standard descriptors. CRIU refuses to write what it was not told about.
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "oci/criu_messages.h"
#include "wire/oci_checkpoint.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// Looks at the running container `pid`.
Result<CheckpointRecord> look_outside(const Spec& spec, pid_t pid);

// Puts it into the options of a dump. kUnsupported for a joined namespace that cannot be joined again.
Status name_outside(const CheckpointRecord& record, const Spec& spec, CriuOptions& options);

// CRIU does not make every outside mount as it was: without its "read-only" a container could change the host's device
// node behind a mask. Sets what is missing, in the mount namespace of `pid`, whose processes must not run yet.
Status protect_outside(const CheckpointRecord& record, pid_t pid);

// Puts what it is this time into the options of a restore; errors name the JSON path. The descriptors are given to
// CRIU in this order, from Criu::kFirstInherited on.
struct Inherited {
  std::vector<Fd> owned;
  std::vector<int> numbers;
};
Result<Inherited> supply_outside(const CheckpointRecord& record, const Spec& spec, CriuOptions& options);

}  // namespace skerry::oci
