// What a container uses, read from its control groups.
#pragma once

#include "base/result.h"
#include "wire/oci_spec_features.h"
#include "wire/oci_spec_state.h"

namespace skerry::oci {

Result<ContainerStatistics> read_cgroup_statistics(const CgroupRecord& record);

}  // namespace skerry::oci
