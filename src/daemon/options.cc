#include "daemon/options.h"

#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "base/sys_file.h"
#include "base/text.h"
#include "cli/describe.h"
#include "cli/man_page.h"
#include "core/net.h"

namespace skerry {
namespace {

// What CLI11 fills in; checked and turned into values afterwards.
struct RawOptions {
  std::string subnet = "192.168.127.1/24";
  std::string log_level = "info";
  std::string log_format = "text";
};

void declare_microvms(CLI::App& app, DaemonOptions& options) {
  app.add_option("--accel", options.accelerator, "auto, kvm or tcg")
      ->envname("SKERRY_ACCEL")
      ->check(CLI::IsMember({"auto", "kvm", "tcg"}))
      ->capture_default_str();
  app.add_option("--microvm-driver", options.microvm_driver, "what runs microVMs: qemu or cloud-hypervisor")
      ->envname("SKERRY_MICROVM_DRIVER")
      ->check(CLI::IsMember({"qemu", "cloud-hypervisor"}))
      ->capture_default_str();
  app.add_option("--cloud-hypervisor", options.cloud_hypervisor, "the program, for --microvm-driver cloud-hypervisor")
      ->envname("SKERRY_CLOUD_HYPERVISOR")
      ->capture_default_str();
  app.add_option("--kernel", options.kernel, "kernel image for microVMs (default: Debian's cloud kernel)")
      ->envname("SKERRY_KERNEL");
  app.add_option("--boot-timeout", options.boot_timeout_s, "seconds in which the agent of a microVM has to report")
      ->envname("SKERRY_BOOT_TIMEOUT")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
}

void declare_log(CLI::App& app, RawOptions& raw) {
  app.add_option("--log-level", raw.log_level, "debug, info, warning or error")
      ->envname("SKERRY_LOG_LEVEL")
      ->capture_default_str();
  app.add_option("--log-format", raw.log_format, "text or json")
      ->envname("SKERRY_LOG_FORMAT")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
}

void declare_warm_pool(CLI::App& app, DaemonOptions& options) {
  app.add_option("--warm-pool-mb", options.warm_pool_mib,
                 "most memory of microVMs that are kept ready (plugins' warm_pool, --spares); 0: none are")
      ->envname("SKERRY_WARM_POOL_MB")
      ->check(CLI::Range(0, 1 << 30))
      ->capture_default_str();
  app.add_option("--spares", options.spares,
                 "of so many kinds of microVMs that were started twice or more within ten minutes one is kept ready")
      ->envname("SKERRY_SPARES")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
}

void declare(CLI::App& app, DaemonOptions& options, RawOptions& raw) {
  app.add_option("--state-dir", options.state_dir, "images, database, disks")
      ->envname("SKERRY_STATE_DIR")
      ->capture_default_str();
  app.add_option("--run-dir", options.run_dir, "sockets and mounts of this boot")
      ->envname("SKERRY_RUN_DIR")
      ->capture_default_str();
  app.add_option("--socket", options.socket_path, "API socket (default: RUN_DIR/skerryd.sock)")
      ->envname("SKERRY_SOCKET");
  app.add_option("--listen", options.listen, "API address ADDR:PORT, or none")
      ->envname("SKERRY_LISTEN")
      ->capture_default_str();
  app.add_option("--tls-cert", options.tls_certificate, "TLS on --listen: our certificate and those above it, PEM")
      ->envname("SKERRY_TLS_CERT");
  app.add_option("--tls-key", options.tls_key, "its key, PEM, readable by its owner alone")->envname("SKERRY_TLS_KEY");
  app.add_option("--tls-client-ca", options.tls_client_ca, "ask clients for a certificate of one of these too, PEM")
      ->envname("SKERRY_TLS_CLIENT_CA");
  app.add_option("--plugin-keys", options.plugin_keys, "minisign public keys: only plugins that one of them signed")
      ->envname("SKERRY_PLUGIN_KEYS")
      ->delimiter(',');
  app.add_option("--max-artifact-mb", options.max_artifact_mib, "largest disk or initramfs of a plugin")
      ->envname("SKERRY_MAX_ARTIFACT_MB")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_option("--bridge", options.zone.bridge, "bridge of the default zone")
      ->envname("SKERRY_BRIDGE")
      ->capture_default_str();
  app.add_option("--subnet", raw.subnet, "its address and subnet, CIDR")
      ->envname("SKERRY_SUBNET")
      ->capture_default_str();
  app.add_option("--pool-first", options.zone.pool_first, "first address leased (default: .100 of the subnet)")
      ->envname("SKERRY_POOL_FIRST");
  app.add_option("--pool-last", options.zone.pool_last, "last address leased (default: the subnet's last)")
      ->envname("SKERRY_POOL_LAST");
  app.add_option("--policy-dir", options.policy_dir, "rules of who may what: its files *.policy, read again at SIGHUP")
      ->envname("SKERRY_POLICY_DIR")
      ->capture_default_str();
  app.add_option("--dns", options.dns, "name servers for environments (default: the host's)")
      ->envname("SKERRY_DNS")
      ->delimiter(',');
  declare_microvms(app, options);
  app.add_option("--cgroup-parent", options.cgroup_parent, "name of our cgroup below our own")
      ->envname("SKERRY_CGROUP_PARENT")
      ->capture_default_str();
  app.add_option("--program-dir", options.program_dir,
                 "where skerry-oci and its siblings are (default: beside skerryd)")
      ->envname("SKERRY_PROGRAM_DIR");
  app.add_option("--group", options.group, "group that may use the socket")
      ->envname("SKERRY_GROUP")
      ->capture_default_str();
  app.add_option("--workers", options.workers, "environments acted on at the same time")
      ->envname("SKERRY_WORKERS")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  declare_warm_pool(app, options);
  app.add_option("--keep-events", options.keep_events, "events kept in the log: the newest ones")
      ->envname("SKERRY_KEEP_EVENTS")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}))
      ->capture_default_str();
  declare_log(app, raw);
  app.add_option("--network", options.network_action,
                 "Only make (up) or remove (down) the bridge and its NAT rules, and end: what skerry setup asks for")
      ->check(CLI::IsMember({"up", "down"}));
  app.add_flag_callback(
         "--man",
         [] {
           std::cout << daemon_man_page();
           throw CLI::Success();
         },
         "Print the manual page skerryd(8)")
      ->trigger_on_parse();
  app.set_version_flag("--version", cat("skerryd ", SKERRY_VERSION));
}

constexpr const char* kSummary = "skerryd: runs containers, microVMs and VMs under one policy";

Result<std::string> absolute(const std::string& path) {
  if (path.empty()) return fail(ErrorCode::kInvalidArgument, "an empty path");
  if (path.front() == '/') return path;
  char here[4096];
  if (::getcwd(here, sizeof here) == nullptr) return fail_errno("getcwd");
  return cat(here, "/", path);
}

// Our own directory: the programs that belong together are installed together.
Result<std::string> own_directory() {
  const std::string self = TRY(sys::readlink("/proc/self/exe"));
  return self.substr(0, self.rfind('/'));
}

Status check_tls(const DaemonOptions& options) {
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--tls-cert and --tls-key go together");
  }
  if (!options.tls_client_ca.empty() && options.tls_certificate.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--tls-client-ca needs --tls-cert and --tls-key");
  }
  return {};
}

struct PoolGiven {
  bool first = false;
  bool last = false;
};

Status check(DaemonOptions& options, const RawOptions& raw, PoolGiven given) {
  options.state_dir = TRY_IN("--state-dir", absolute(options.state_dir));
  options.run_dir = TRY_IN("--run-dir", absolute(options.run_dir));
  options.policy_dir = TRY_IN("--policy-dir", absolute(options.policy_dir));
  if (options.socket_path.empty()) options.socket_path = cat(options.run_dir, "/skerryd.sock");
  if (options.program_dir.empty()) options.program_dir = TRY(own_directory());
  options.cloud_hypervisor = TRY_IN("--cloud-hypervisor", absolute(options.cloud_hypervisor));
  TRY(check_tls(options));
  for (const auto& key : options.plugin_keys) TRY_IN("--plugin-keys", sys::open(key, O_RDONLY));
  options.log_level = TRY_IN("--log-level", log::parse_level(raw.log_level));
  options.log_format = raw.log_format == "json" ? log::Format::kJson : log::Format::kText;
  if (options.zone.bridge.empty() || options.zone.bridge.size() > 15) {
    return fail(ErrorCode::kInvalidArgument, cat("--bridge ", options.zone.bridge),
                "an interface name has 1 to 15 characters");
  }
  const Zone chosen = options.zone;
  options.zone = TRY_IN("--subnet", zone_for_subnet(options.zone, raw.subnet));
  if (given.first) options.zone.pool_first = chosen.pool_first;
  if (given.last) options.zone.pool_last = chosen.pool_last;
  TRY_IN("--pool-first, --pool-last", AddressPool::of(options.zone));
  for (const auto& server : options.dns) TRY_IN("--dns", Ipv4::parse(server));
  return {};
}

}  // namespace

std::string daemon_man_page() {
  DaemonOptions options;
  RawOptions raw;
  CLI::App app("the control plane of Skerry", "skerryd");
  declare(app, options, raw);
  return cli::man_page(
             cli::describe(app), 8,
             {{"ENVIRONMENT",
               "Every option can also be given as a variable: SKERRY_STATE_DIR for --state-dir, and so on. The command "
               "line wins.\n\nNOTIFY_SOCKET: told when skerryd is ready (sd_notify(3))."},
              {"FILES",
               "STATE_DIR/skerry.db: environments, leases, events, plugins.\n\nSTATE_DIR/audit.log: a line for every "
               "mutating call.\n\nRUN_DIR/skerryd.sock: the API."},
              {"SIGNALS",
               "SIGTERM, SIGINT: end. Environments live on; without any, bridge and firewall go too.\n\nSIGHUP: "
               "read the policy again.\n\nA killed "
               "daemon loses nothing either: the next one adopts what runs."},
              {"EXIT STATUS", "0: ended by a signal, as asked. 1: cannot start or serve. 2: wrong usage."},
              {"SEE ALSO", "skerry(1)"}})
      .text;
}

ParsedOptions parse_daemon_options(int argc, char** argv) {
  ParsedOptions parsed;
  RawOptions raw;
  CLI::App app(kSummary, "skerryd");
  declare(app, parsed.options, raw);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    parsed.outcome = OptionsOutcome::kExit;
    parsed.exit_code = code == 0 ? 0 : 2;
    return parsed;
  }
  const PoolGiven given{app.count("--pool-first") > 0, app.count("--pool-last") > 0};
  parsed.options.policy_dir_given = app.count("--policy-dir") > 0;
  if (auto checked = check(parsed.options, raw, given); !checked) {
    std::cerr << "skerryd: " << checked.error().message() << "\n";
    parsed.outcome = OptionsOutcome::kExit;
    parsed.exit_code = 2;
  }
  return parsed;
}

}  // namespace skerry
