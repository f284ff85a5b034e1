// The process that `exec` shall run: what the command line says over the container's own.
#pragma once

#include "base/result.h"
#include "oci/runtime.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// The one of --process as it is, or the container's, changed. kInvalidArgument without a command.
Result<Process> exec_process(const ExecRequest& request, const Spec& spec);

}  // namespace skerry::oci
