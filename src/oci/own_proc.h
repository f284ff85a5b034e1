// A procfs that nobody else can have touched: mounted detached, reached only by descriptor.
//
// Writes on the container's behalf (sysctl, security labels) must not land in something an image or another container
// put in the way of /proc (CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2025-52881): every path is opened below
// this mount's root without crossing mounts, links or magic links.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "oci/namespaces.h"
#include "wire/oci_spec.h"

namespace skerry::oci {

// For the PID namespace of the caller.
Result<Fd> mount_own_proc();
// One write(2) to an existing file, "sys/net/ipv4/ip_forward" or "thread-self/attr/exec".
Status write_proc(int proc_fd, const std::string& path, std::string_view value);

// Only settings of a namespace the container has for itself may be written: anything else would change the host.
Status check_sysctls(const std::map<std::string, std::string>& sysctls, const NamespacePlan& namespaces);
Status set_sysctls(int proc_fd, const std::map<std::string, std::string>& sysctls);

// Labels for the exec to come (apparmor(7), selinux(8)). kUnsupported when the host's kernel does not have the module.
Status set_apparmor_on_exec(int proc_fd, const std::string& profile);
Status set_selinux_on_exec(int proc_fd, const std::string& label);

}  // namespace skerry::oci
