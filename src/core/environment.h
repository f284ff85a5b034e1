// Environment: one isolated place where something runs, as a plain value.
//
// Its specification (what the user asked for) never changes by itself; its status is what was last observed. The state
// machine is drawn in core/state_machine.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "core/artifact.h"

namespace skerry {

// How strongly it is isolated: the dial.
enum class Isolation : std::uint8_t { kContainer, kMicrovm, kVm };
// What becomes of its disk.
enum class Kind : std::uint8_t { kApp /* kept */, kDisposable /* reset on stop */, kTemplate /* read-only source */ };
enum class State : std::uint8_t {
  kCreated,  // defined, never started
  kStarting,
  kRunning,
  kPaused,     // frozen in memory
  kSuspended,  // frozen on disk
  kStopping,
  kStopped,  // ended as asked, or by itself with exit code 0
  kFailed,   // could not start, or ended by itself with another code or a signal
  kDeleting,
};
// What the user wants it to be.
enum class Goal : std::uint8_t { kStopped, kRunning, kPaused, kSuspended, kDeleted };
enum class RestartMode : std::uint8_t { kNo, kOnFailure, kAlways, kUnlessStopped };
enum class Health : std::uint8_t { kUnknown /* no check, or none answered yet */, kHealthy, kUnhealthy };

std::string_view to_text(Isolation value);
std::string_view to_text(Kind value);
std::string_view to_text(State value);
std::string_view to_text(Goal value);
std::string_view to_text(RestartMode value);
std::string_view to_text(Health value);
// The inverse; kInvalidArgument names the word and the ones that exist.
Result<Isolation> parse_isolation(std::string_view text);
Result<Kind> parse_kind(std::string_view text);
Result<State> parse_state(std::string_view text);
Result<Goal> parse_goal(std::string_view text);
Result<RestartMode> parse_restart_mode(std::string_view text);
Result<Health> parse_health(std::string_view text);

inline constexpr std::uint32_t kMilliPerCore = 1000;

struct Resources {
  std::uint32_t cpu_milli = kMilliPerCore;  // thousandths of a core; a VM gets the next whole number of vCPUs
  std::uint32_t memory_mib = 512;
  std::uint32_t pids = 4096;  // most processes and threads; containers only
  bool operator==(const Resources&) const = default;
};

// A directory or file of the host, seen inside.
struct BindMount {
  std::string source;  // absolute host path
  std::string target;  // absolute path inside
  bool read_only = false;
  bool operator==(const BindMount&) const = default;
};
struct TmpfsMount {
  std::string target;
  std::uint32_t size_mib = 64;
  bool operator==(const TmpfsMount&) const = default;
};

// A published port: host_ip:host_port on the host leads to guest_port inside.
enum class Protocol : std::uint8_t { kTcp, kUdp };
struct PublishedPort {
  std::string host_ip;  // empty: every address of the host
  std::uint16_t host_port = 0;
  std::uint16_t guest_port = 0;
  Protocol protocol = Protocol::kTcp;
  bool operator==(const PublishedPort&) const = default;
};

struct RestartPolicy {
  RestartMode mode = RestartMode::kNo;
  std::uint32_t max = 0;            // most restarts in a row; 0: no limit
  std::uint32_t backoff_ms = 1000;  // before the first restart; doubles up to kMaxBackoffMs
  bool operator==(const RestartPolicy&) const = default;
};
inline constexpr std::uint32_t kMaxBackoffMs = 5U * 60U * 1000U;

struct HealthCheck {
  enum class Probe : std::uint8_t { kHttp, kTcp, kExec } probe = Probe::kHttp;
  std::string endpoint;              // http: URL or path; tcp: port; exec: unused
  std::vector<std::string> command;  // exec only
  std::uint32_t interval_ms = 10'000;
  std::uint32_t timeout_ms = 2'000;
  std::uint32_t retries = 3;  // failures in a row until unhealthy
  bool operator==(const HealthCheck&) const = default;
};

// What can be asked of the workload by name: a request to its base_url.
struct WorkloadAction {
  std::string description;
  std::string method = "POST";
  std::string path;
  std::uint32_t timeout_ms = 30'000;
  bool operator==(const WorkloadAction&) const = default;
};

struct Security {
  bool read_only_root = false;
  bool user_namespace = false;
  // Set-user-ID programs and file capabilities give what they say (sudo, ping): no_new_privs stays off. Containers
  // only; in a microVM they always do.
  bool allow_new_privileges = false;
  std::vector<std::string> cap_add;   // "CAP_NET_ADMIN"
  std::vector<std::string> cap_drop;  // "ALL" drops every one
  std::string seccomp_profile;        // empty: the default profile; "unconfined"; else a path
  bool operator==(const Security&) const = default;
};

// What cloud-init finds inside (its data source NoCloud). instance-id and local-hostname are ours to say.
struct CloudInit {
  std::string user_data;       // "#cloud-config…", a script, or MIME parts
  std::string network_config;  // empty: the leased address
  std::string vendor_data;
  bool operator==(const CloudInit&) const = default;
};
inline constexpr std::size_t kMaxCloudInitText = 256U << 10U;  // each

// PCI devices of the host that a microVM has for itself as long as it runs (VFIO).
struct DevicePassthrough {
  std::vector<std::string> addresses;  // "0000:01:00.0"
  std::vector<std::string> allowed;    // kinds that may be among them: "vendor:device"
  bool operator==(const DevicePassthrough&) const = default;
};

// What the user asked for. Empty workload fields mean: as the image says.
struct EnvironmentSpec {
  std::string name;      // DNS label, unique on this host
  std::string hostname;  // empty: the name
  Isolation isolation = Isolation::kContainer;
  Kind kind = Kind::kApp;
  std::string zone = "default";
  std::string image;        // reference as given; empty when rootfs_path or plugin says what to run
  std::string rootfs_path;  // an unpacked root file system of the host, used as it stands
  // Instead of an image, microVMs only: the read-only root disk, and the initramfs to boot with (or to live in).
  std::optional<Artifact> root_disk;
  std::optional<Artifact> initramfs;
  std::optional<CloudInit> cloud_init;  // microVMs only
  DevicePassthrough devices;            // likewise
  std::string plugin;
  std::string plugin_version;  // which one it was made from; in a request empty: the newest enabled one
  std::string deployment;      // the deployment this is a replica of, or empty
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::string workdir;
  std::string user;  // "name", "uid", "name:group", "uid:gid"
  bool terminal = false;
  bool stdin_open = false;
  bool auto_remove = false;  // deleted when it ends (--rm)
  Resources resources;
  Security security;
  std::vector<BindMount> mounts;
  std::vector<TmpfsMount> tmpfs;
  std::vector<PublishedPort> ports;
  std::vector<std::string> dns;  // addresses; empty: the host's resolvers
  RestartPolicy restart;
  std::optional<HealthCheck> health_check;
  std::string base_url;  // where the workload serves HTTP, as seen from inside: "http://127.0.0.1:80"
  std::map<std::string, WorkloadAction> actions;
  std::map<std::string, std::string> labels;
  bool operator==(const EnvironmentSpec&) const = default;
};

// What was last observed.
struct EnvironmentStatus {
  State state = State::kCreated;
  Goal goal = Goal::kStopped;
  Health health = Health::kUnknown;
  std::int64_t pid = 0;           // main process on the host (the VMM for VMs); 0: none
  std::optional<int> exit_code;   // of the last run, 128 + signal when killed
  std::string reason;             // why it is in this state, for people; may be empty
  std::uint32_t restarts = 0;     // automatic restarts in a row
  std::uint64_t incarnation = 0;  // how often it was started
  WallTime created_at;
  WallTime started_at;   // zero: never
  WallTime finished_at;  // zero: never
  bool operator==(const EnvironmentStatus&) const = default;
};

struct Environment {
  std::string id;  // 16 lower-case hex digits; never used again, unlike the name
  EnvironmentSpec spec;
  std::string image_digest;  // what spec.image meant when it was created: "sha256:…"
  std::string ip;            // leased address, empty when it has no network
  EnvironmentStatus status;
  bool operator==(const Environment&) const = default;
};

// An environment as it was at one moment, shared by all who look at it. A change makes another one: as long as the
// pointer is the same, nothing has changed.
using EnvironmentView = std::shared_ptr<const Environment>;
using EnvironmentViews = std::vector<EnvironmentView>;

// "container" for containers, "vm" for microVMs and VMs: the first word of event types.
std::string_view event_noun(Isolation isolation);

// Everything that is wrong with a specification by itself (names, ranges, paths, combinations), the first finding only.
// Errors name the field: "ports[0].host_port: …".
Status validate(const EnvironmentSpec& spec);
// Its parts that a plugin manifest has too; `field` is what the error names.
Status validate_artifact(const Artifact& artifact, std::string_view field);
Status validate_cloud_init(const CloudInit& cloud_init);
// Addresses and kinds themselves are read where the host's devices are known (drivers/pci/).
Status validate_devices(const DevicePassthrough& devices);
Status validate_health_check(const HealthCheck& check);
Status validate_base_url(std::string_view url, std::string_view field);
Status validate_actions(const std::map<std::string, WorkloadAction>& actions);

}  // namespace skerry
