// Devices of the host that a run had which nobody knows any more: their records, until they are given back.
//
//   RUN_DIR/environments/ID/host-devices ──keep_device_record()──▶ RUN_DIR/host-devices/ID ──give_back_devices()──▶
//   gone
//
// A record stands in the run directory, which is removed as a whole. Kept first, it outlives a daemon that is killed in
// between. Given back last: the kernel makes whoever takes a device from a guest wait until that guest has ended.
#pragma once

#include <string>

#include "base/result.h"

namespace skerry {

// `run_dir`: of the environment. Nothing to keep is success; a record that is kept already stays, too.
Status keep_device_record(const std::string& run_dir, const std::string& all_runs, const std::string& id);
// What fails is logged, and tried again by the next daemon.
void give_back_devices(const std::string& all_runs);

}  // namespace skerry
