// How the kernel treats the process: scheduling, I/O priority, CPU affinity, memory policy, personality, session
// keyring.
#pragma once

#include <string>

#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// Unknown words and numbers out of range; errors name the JSON path. Done before anything is made.
Status check_process_attributes(const Process& process, const Linux& linux_part);

// All on the calling process.
Status set_scheduler(const Scheduler& scheduler);
Status set_io_priority(const IoPriority& priority);
Status set_cpu_affinity(const std::string& cpus, std::string_view place);
Status set_memory_policy(const MemoryPolicy& policy);
Status set_personality(const Personality& personality);
// A new session keyring, so that the container does not share the caller's keys (keyrings(7)). Without a name: another
// could join it by that, and the kernel would compare it with those of all living containers.
Status join_new_session_keyring();

// "0-3,7" → bits; kInvalidArgument for anything else. At most `limit` numbers.
Result<std::vector<unsigned>> parse_number_list(std::string_view text, unsigned limit);

}  // namespace skerry::oci
