// linux.netDevices (config-linux.md "Network Devices"): interfaces of the runtime's network namespace that become the
// container's.
//
// Each keeps its attributes and its permanent addresses of global scope, gets its new name and is brought up. A name
// that exists in the container already is an error; "%d" in it stands for the lowest free number. From then on the
// interface is the container's: when its network namespace ends the kernel gives physical devices back and removes
// virtual ones.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

class NetDevices {
 public:
  // Into the namespace of `netns`. Errors name /linux/netDevices/<name>; what was moved already is moved back.
  Status move_in(const std::map<std::string, NetDevice>& devices, Fd netns);
  // As it was: for a creation that fails. Best effort.
  void move_back();

 private:
  struct Address {
    std::string header;  // ifaddrmsg
    std::string attributes;
  };
  struct Moved {
    std::string host_name;
    std::string name;
    std::vector<Address> addresses;
    bool was_up = false;
  };
  Status move_one(const std::string& host_name, const NetDevice& device);

  Fd netns_;
  std::vector<Moved> moved_;
};

}  // namespace skerry::oci
