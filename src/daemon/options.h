// The settings of skerryd: command line, then SKERRY_* environment variables, then defaults.
#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "core/zone.h"

namespace skerry {

struct DaemonOptions {
  std::string state_dir = "/var/lib/skerry";  // images, database, writable layers: survives reboots
  std::string run_dir = "/run/skerry";        // sockets, pids, mounts: of this boot
  std::string socket_path;                    // default <run_dir>/skerryd.sock
  std::string listen = "127.0.0.1:8080";      // or "none"
  std::string tls_certificate;                // files in PEM for the API on TCP; all empty: plain, loopback only
  std::vector<std::string> plugin_keys;       // minisign's, whose plugins may run; empty: all may
  std::uint64_t max_artifact_mib = 32768;     // of a plugin's disk or initramfs
  std::string tls_key;
  std::string tls_client_ca;
  Zone zone;                                        // bridge, subnet, pool
  std::string policy_dir = "/etc/skerry/policy.d";  // of the rules
  bool policy_dir_given = false;                    // then it has to be there
  std::vector<std::string> dns;                     // for environments that name none; empty: the host's resolvers
  std::string accelerator = "auto";                 // auto, kvm or tcg
  std::string microvm_driver = "qemu";              // or "cloud-hypervisor"
  std::string cloud_hypervisor = "/usr/bin/cloud-hypervisor";
  std::string cgroup_parent = "skerry";  // below the daemon's own cgroup, in each hierarchy
  std::string kernel;                    // for microVMs; empty: Debian's cloud kernel of the newest version
  std::uint32_t boot_timeout_s = 60;     // in which the agent of a microVM has to report
  std::string program_dir;               // where skerry-oci, skerry-keeper, skerry-agent are; default: beside us
  std::string group = "skerry";          // who may use the socket besides root
  unsigned workers = 8;
  std::uint64_t warm_pool_mib = 256;    // most memory of machines that are kept ready; 0: none are
  std::size_t spares = 2;               // kinds of microVMs of which one is kept ready since they are started often
  std::uint64_t keep_events = 100'000;  // the newest ones; older ones are deleted
  log::Level log_level = log::Level::kInfo;
  log::Format log_format = log::Format::kText;
  std::string network_action;  // "up" or "down": only that, for setup; empty: serve
};

enum class OptionsOutcome : std::uint8_t { kRun, kExit };
struct ParsedOptions {
  OptionsOutcome outcome = OptionsOutcome::kRun;
  int exit_code = 0;  // kExit: 0 after --help or --version, 2 after a usage error (already reported)
  DaemonOptions options;
};
// The manual page skerryd(8).
std::string daemon_man_page();
// Parses and checks. Prints help, version and usage errors itself.
ParsedOptions parse_daemon_options(int argc, char** argv);

}  // namespace skerry
