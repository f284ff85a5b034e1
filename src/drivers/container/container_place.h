// Where a container keeps its things, besides what the jail keeps (drivers/jail.h).
//
//   state_dir/layer/upper, work   what it wrote: kept for an app; dropped at the end of the run for the others. On disk
//                                 also for these: what a guest writes must not fill the host's memory
//   run_dir/rootfs                where the overlay is put, in the container's mount namespace only; empty to the host.
//                                 There from before anything of a run is
//   run_dir/etc/                  hosts, hostname, resolv.conf, of this run
#pragma once

#include <string>

#include "drivers/driver.h"

namespace skerry {

struct ContainerPlace {
  const EnvironmentPlace& place;
  [[nodiscard]] std::string layer() const { return place.state_dir + "/layer"; }
  [[nodiscard]] std::string etc() const { return place.run_dir + "/etc"; }
  [[nodiscard]] std::string rootfs() const { return place.run_dir + "/rootfs"; }
};

}  // namespace skerry
