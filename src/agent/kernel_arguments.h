// The kernel command line, as far as the agent reads it (C32, C76).
//
//   skerry.manifest=<base64url(gzip(json)), unpadded>   the boot document itself
//   skerry.manifest_disk=<serial>                       …or the disk that holds it (agent/manifest_disk.h)
//   skerry.channel=vsock:PORT                           how to reach the host; without it by the virtio port
//   skerry.plugin= skerry.runtime= skerry.api_host= skerry.api_port=
//
// Every key is also read in the older spelling "volant."; "skerry." wins when both are there.
#pragma once

#include <string>
#include <string_view>

namespace skerry::agent {

struct KernelArguments {
  std::string manifest;
  std::string manifest_disk;
  std::string channel;
  std::string plugin;
  std::string runtime;
  std::string api_host;
  std::string api_port;
};

// Words are parted by white space; double quotes protect it, as in the kernel (Documentation/admin-guide/
// kernel-parameters.rst). A key that comes twice: the last one counts.
KernelArguments parse_kernel_arguments(std::string_view command_line);

}  // namespace skerry::agent
