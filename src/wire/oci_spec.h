// oci::Spec: the value of an OCI runtime configuration (config.json), and its reader and writer.
//
// Source: OCI runtime specification 1.3, config.md and config-linux.md. Every Linux field of the specification has a
// member of the same meaning here; names follow the JSON in snake_case. Two parties use it: skerry-oci reads bundles,
// the drivers write them. Unknown fields and annotations are ignored (spec: "MUST NOT generate an error"); a value that
// is wrong in type, range or grammar is an error that names its JSON path: `/linux/resources/pids/limit: …`.
//
// Nothing here touches the system: capability names, mount options and so on stay text; src/oci/ gives them meaning.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

// The newest specification this code follows, and the largest config.json it reads.
inline constexpr std::string_view kSpecVersion = "1.3.0";
inline constexpr std::size_t kMaxConfigBytes = 16U << 20U;

struct IdMapping {
  std::uint32_t container_id = 0;
  std::uint32_t host_id = 0;
  std::uint32_t size = 0;
  bool operator==(const IdMapping&) const = default;
};

struct Mount {
  std::string destination;  // in the container; absolute (a relative one is taken from "/")
  std::string type;         // empty: a bind mount when the options say so
  std::string source;       // on the host, for binds
  std::vector<std::string> options;
  std::vector<IdMapping> uid_mappings;  // idmapped mount
  std::vector<IdMapping> gid_mappings;
};

struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::optional<std::uint32_t> umask;
  std::vector<std::uint32_t> additional_gids;
};

struct Rlimit {
  std::string type;  // "RLIMIT_NOFILE"
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

// Names ("CAP_CHOWN"). An absent set is empty.
struct Capabilities {
  std::vector<std::string> bounding;
  std::vector<std::string> effective;
  std::vector<std::string> inheritable;
  std::vector<std::string> permitted;
  std::vector<std::string> ambient;
};

struct ConsoleSize {
  std::uint16_t height = 0;
  std::uint16_t width = 0;
};

struct Scheduler {
  std::string policy;  // "SCHED_OTHER", …
  std::int32_t nice = 0;
  std::int32_t priority = 0;
  std::vector<std::string> flags;
  std::uint64_t runtime = 0;  // nanoseconds, for SCHED_DEADLINE
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;
};

struct IoPriority {
  std::string io_class;  // "IOPRIO_CLASS_RT", "…_BE", "…_IDLE"
  std::int32_t priority = 0;
};

// CPU lists ("0-3,7"): `initial` while the process starts, `final_list` from the program on.
struct ExecCpuAffinity {
  std::string initial;
  std::string final_list;
};

struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  std::optional<Capabilities> capabilities;  // absent: none at all
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::string apparmor_profile;
  std::string selinux_label;
  std::optional<int> oom_score_adj;
  std::optional<Scheduler> scheduler;
  std::optional<IoPriority> io_priority;
  std::optional<ExecCpuAffinity> exec_cpu_affinity;
};

struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<std::int64_t> timeout_s;
};

struct Hooks {
  std::vector<Hook> prestart;
  std::vector<Hook> create_runtime;
  std::vector<Hook> create_container;
  std::vector<Hook> start_container;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;
};

struct Namespace {
  std::string type;  // "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"
  std::string path;  // empty: a new one
};

struct TimeOffset {
  std::int64_t secs = 0;
  std::uint32_t nanosecs = 0;
};

struct Device {
  std::string type;  // "c", "b", "u" or "p"
  std::string path;
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint32_t> file_mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
};

struct DeviceRule {
  bool allow = false;
  std::string type;  // "a", "c", "b"; empty is "a"
  std::optional<std::int64_t> major;
  std::optional<std::int64_t> minor;
  std::string access;  // of "rwm"; empty is all
};

// Bytes; -1 is unlimited.
struct MemoryLimits {
  std::optional<std::int64_t> limit;
  std::optional<std::int64_t> reservation;
  std::optional<std::int64_t> swap;  // memory + swap, as in the v1 interface
  std::optional<std::int64_t> kernel;
  std::optional<std::int64_t> kernel_tcp;
  std::optional<std::uint64_t> swappiness;
  std::optional<bool> disable_oom_killer;
  std::optional<bool> use_hierarchy;
  std::optional<bool> check_before_update;
};

struct CpuLimits {
  std::optional<std::uint64_t> shares;
  std::optional<std::int64_t> quota_us;
  std::optional<std::uint64_t> burst_us;
  std::optional<std::uint64_t> period_us;
  std::optional<std::int64_t> realtime_runtime_us;
  std::optional<std::uint64_t> realtime_period_us;
  std::string cpus;
  std::string mems;
  std::optional<std::int64_t> idle;
};

struct WeightDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint16_t> weight;
  std::optional<std::uint16_t> leaf_weight;
};
struct ThrottleDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint64_t rate = 0;
};
struct BlockIoLimits {
  std::optional<std::uint16_t> weight;
  std::optional<std::uint16_t> leaf_weight;
  std::vector<WeightDevice> weight_device;
  std::vector<ThrottleDevice> throttle_read_bps;
  std::vector<ThrottleDevice> throttle_write_bps;
  std::vector<ThrottleDevice> throttle_read_iops;
  std::vector<ThrottleDevice> throttle_write_iops;
};

struct HugepageLimit {
  std::string page_size;  // "2MB"
  std::uint64_t limit = 0;
  std::optional<std::uint64_t> rsvd;
};

struct NetworkPriority {
  std::string name;
  std::uint32_t priority = 0;
};
struct NetworkLimits {
  std::optional<std::uint32_t> class_id;
  std::vector<NetworkPriority> priorities;
};

struct RdmaLimit {
  std::optional<std::uint32_t> hca_handles;
  std::optional<std::uint32_t> hca_objects;
};

struct Resources {
  std::vector<DeviceRule> devices;
  std::optional<MemoryLimits> memory;
  std::optional<CpuLimits> cpu;
  std::optional<std::int64_t> pids_limit;
  std::optional<BlockIoLimits> block_io;
  std::vector<HugepageLimit> hugepage_limits;
  std::optional<NetworkLimits> network;
  std::map<std::string, RdmaLimit> rdma;
  std::map<std::string, std::string> unified;  // v2 file name → value
};

struct SeccompArg {
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;
  std::string op;  // "SCMP_CMP_EQ", …
};
struct SeccompRule {
  std::vector<std::string> names;
  std::string action;
  std::optional<std::uint32_t> errno_ret;
  std::vector<SeccompArg> args;
};
struct Seccomp {
  std::string default_action;
  std::optional<std::uint32_t> default_errno_ret;
  std::vector<std::string> architectures;
  std::vector<std::string> flags;
  std::string listener_path;
  std::string listener_metadata;
  std::vector<SeccompRule> syscalls;
};

struct IntelRdt {
  std::string clos_id;
  std::string l3_cache_schema;
  std::string mem_bw_schema;
  std::vector<std::string> schemata;
  bool enable_cmt = false;
  bool enable_mbm = false;
  bool enable_monitoring = false;
};

struct NetDevice {
  std::string name;  // in the container; empty keeps the host's name
};

struct MemoryPolicy {
  std::string mode;  // "MPOL_BIND", …
  std::string nodes;
  std::vector<std::string> flags;
};

struct Personality {
  std::string domain;  // "LINUX" or "LINUX32"
  std::vector<std::string> flags;
};

struct Linux {
  std::vector<Namespace> namespaces;
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::map<std::string, TimeOffset> time_offsets;  // "monotonic", "boottime"
  std::vector<Device> devices;
  std::string cgroups_path;
  Resources resources;
  std::string rootfs_propagation;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::string mount_label;
  std::map<std::string, std::string> sysctl;
  std::optional<Seccomp> seccomp;
  std::optional<Personality> personality;
  std::optional<IntelRdt> intel_rdt;
  std::map<std::string, NetDevice> net_devices;  // by host name
  std::optional<MemoryPolicy> memory_policy;
};

struct Root {
  std::string path;
  bool readonly = false;
};

struct Spec {
  std::string oci_version;
  Root root;
  std::string hostname;
  std::string domainname;
  std::vector<Mount> mounts;
  std::optional<Process> process;
  Hooks hooks;
  std::map<std::string, std::string> annotations;
  Linux linux_part;  // "linux" is a macro of some compilers
};

// Reads a config.json. kInvalidArgument with the JSON path (RFC 6901) or, for broken JSON, the byte position.
Result<Spec> parse_spec(std::string_view json);
// A process.json as `exec --process` takes it.
Result<Process> parse_process(std::string_view json);
// The `resources` object as `update --resources` takes it.
Result<Resources> parse_resources(std::string_view json);

// Writes what parse_spec reads; absent members are left out. Indented by two spaces.
std::string to_json(const Spec& spec);
std::string to_json(const Process& process);
std::string to_json(const Resources& resources);

}  // namespace skerry::oci
