// Secrets that came over the channel: written where the workload expects them, with the owner and mode asked for.
#pragma once

#include <vector>

#include "base/result.h"
#include "wire/agent_protocol.h"

namespace skerry::agent {

// Missing directories are made (0755). A failure names the path, never the content.
Status write_secret_files(const std::vector<wire::GuestFile>& files);

}  // namespace skerry::agent
