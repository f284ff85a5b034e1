// KernelService: what the API asks of guest kernels, over the kernel store.
#pragma once

#include <memory>

#include "api/kernel_port.h"
#include "image/kernel_store.h"

namespace skerry {

// `agent`: path of skerry-agent, for kernels that are built. `fixed`: the kernel that the daemon was told to boot, by
// path; with one, none can be chosen. `kernels` outlives it.
std::unique_ptr<api::KernelPort> make_kernel_service(KernelStore& kernels, std::string agent, std::string fixed);

}  // namespace skerry
