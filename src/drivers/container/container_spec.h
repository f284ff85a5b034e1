// From a launch to the OCI configuration of its container. Pure: what it needs of the host comes in as values, and a
// golden test reads the outcome (testdata/*.json).
//
// Closed by default: everything an ordinary image does not need is left out, and each grant the user asked for is
// visible in EnvironmentSpec::security.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/accounts.h"
#include "base/result.h"
#include "drivers/driver.h"
#include "wire/oci_spec.h"

namespace skerry {

// Ids of the host that the ids 0, 1, … inside are.
struct IdRange {
  std::uint32_t first = 0;
  std::uint32_t count = 65536;
  bool operator==(const IdRange&) const = default;
};

struct ContainerInputs {
  std::string rootfs;                           // where its root file system is on the host
  std::string network_namespace;                // path of the one made for it
  std::string etc_dir;                          // with hosts, hostname and resolv.conf, shown over those of the image
  Account account;                              // who the user is in this root file system
  std::optional<IdRange> ids;                   // with spec.security.user_namespace
  std::optional<oci::Seccomp> seccomp_profile;  // when spec.security.seccomp_profile is a path
  bool limit_swap = false;                      // the host counts swap: memory_mib then bounds memory and swap together
};

// The signal that asks the workload to end (its number), for whoever stops it later.
inline constexpr const char* kStopSignalAnnotation = "dev.skerry.stop-signal";

// kInvalidArgument: nothing to run, or a capability that is no name.
Result<oci::Spec> make_container_spec(const Launch& launch, const ContainerInputs& inputs);

// The limits of a container's groups. `limit_swap`: the host counts swap; what is over the memory limit must not go
// there.
oci::Resources limits_of(const Resources& resources, bool limit_swap);

// What the container may hold, sorted: the default set without security.cap_drop and with security.cap_add.
Result<std::vector<std::string>> container_capabilities(const Security& security);

// A further process in a container that runs by `config`. `account` is who spec.user is; unset: the same as the main
// process.
oci::Process make_exec_process(const oci::Spec& config, const ExecSpec& spec, const std::optional<Account>& account);

}  // namespace skerry
