// What the host and skerry-agent say to each other inside frames (base/frame.h): the boot document, the requests that
// open a conversation, the answers, and the events of session 0. The only place that knows their JSON.
//
//   host                                           guest (skerry-agent, PID 1)
//    │  kernel command line: boot document           │
//    │ ◀──── kReady  session 0  Hello ───────────────│  workload started; or "parked": waits for the request "boot"
//    │ ◀──── kStdout/kStderr session 0 ──────────────│  the workload's output
//    │ ◀──── kEvent  session 0  AgentEvent ──────────│  restarts, health
//    │ ───── kRequest session N  AgentRequest ──────▶│
//    │ ◀──── kResponse session N AgentResponse ──────│  then streams, if the operation has any, until kExit
//    │ ◀──── kExit   session 0 ──────────────────────│  the workload ended for good; the guest powers off
//
// Both sides treat the other's bytes as hostile: every decoder is bounded and answers kInvalidArgument or kCorrupt with
// the JSON path of the first thing that is wrong. Unknown members of an answer or event are ignored; unknown members of
// a boot document or request are refused, so that no wish is silently dropped.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/frame.h"
#include "base/result.h"

namespace skerry::wire {

// Most bytes of one JSON payload; one frame holds it.
inline constexpr std::size_t kMaxAgentJson = kMaxFramePayload;

// setrlimit(2); the resource by its number.
struct GuestLimit {
  int resource = 0;
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};

// A process to run in the guest.
struct GuestProcess {
  std::vector<std::string> argv;
  // "NAME=value"; PATH, HOME, HOSTNAME and TERM are filled in when missing. Exec: added to the workload's.
  std::vector<std::string> env;
  std::string cwd;  // absolute; empty: "/", exec: the workload's
  // "name", "uid", "name:group", "uid:gid", looked up in the guest's /etc/passwd and /etc/group. Empty: root, exec: the
  // workload's.
  std::string user;
  std::uint32_t umask = 022;
  bool terminal = false;
  TerminalSize size;  // with a terminal
  bool stdin_open = false;
  bool no_new_privileges = false;
  std::vector<std::string> drop_capabilities;  // "CAP_NET_RAW"; "ALL" drops every one not in keep_capabilities
  std::vector<std::string> keep_capabilities;
  std::vector<std::uint32_t> additional_gids;  // beside those the user has
  std::vector<GuestLimit> limits;              // over what every process gets
};

struct GuestNetwork {
  std::string mac;      // selects the interface; empty: the first Ethernet one
  std::string address;  // dotted quad
  std::uint8_t prefix = 24;
  std::string gateway;  // empty: no default route
  std::vector<std::string> dns;
  std::string search;
};

enum class RootMode : std::uint8_t {
  kInitramfs,  // run from the initramfs itself
  kDisk,       // the disk with serial "root" is the root file system, then re-exec from it
  kShare,      // share "0" of the host is the root file system, likewise
};
struct GuestRoot {
  RootMode mode = RootMode::kInitramfs;
  bool overlay = true;     // else: a writable overlay above the disk: on the disk "overlay", else in memory
  bool read_only = false;  // the workload sees a read-only root
};

struct GuestMount {
  std::string type;    // "tmpfs", "share" (a directory or file of the host), or a disk file system: "ext4", "erofs",
                       // "xfs", "squashfs", "btrfs"
  std::string source;  // name of the share, or disk serial; unused for tmpfs
  std::string target;  // absolute; created when missing
  bool read_only = false;
  std::uint32_t size_mib = 64;  // tmpfs
};

enum class GuestRestart : std::uint8_t { kNo, kOnFailure, kAlways };
struct GuestRestartPolicy {
  GuestRestart mode = GuestRestart::kNo;
  std::uint32_t max = 0;  // most restarts in a row; 0: no limit
  std::uint32_t backoff_ms = 1000;
};

// HTTP probe of the workload, relative to its base_url.
struct GuestHealthCheck {
  std::string endpoint;  // path, or http://host[:port]/path
  std::uint32_t interval_ms = 10'000;
  std::uint32_t timeout_ms = 2'000;
  std::uint32_t retries = 3;  // failures in a row until unhealthy
};

// Everything a guest needs to know to become its environment. No secret is ever in it: those come by "start".
struct BootDocument {
  std::string hostname;
  GuestRoot root;
  std::optional<GuestNetwork> network;  // none: only loopback
  GuestProcess workload;                // empty argv: nothing to run; the guest waits for shutdown
  int stop_signal = 15;
  std::uint32_t stop_grace_ms = 10'000;  // between the stop signal and SIGKILL when the guest itself is told to go down
  std::string base_url;                  // "http://127.0.0.1:80": where the workload serves; starts the proxy on 8080
  GuestRestartPolicy restart;
  std::optional<GuestHealthCheck> health_check;
  std::vector<GuestMount> mounts;
  std::uint32_t pids_max = 0;  // most processes and threads of the workload and of what exec runs; 0: no limit
  // Do not run the workload until the request "start" came; that its program is there is looked at all the same.
  bool wait_for_start = false;
  // Stop before anything of one environment is there (name, addresses) and wait for the request "boot" with the real
  // document. A snapshot taken in this state can become any environment of the same image: with root.overlay one that
  // begins with an empty writable layer, which is mounted by then, else one that brings its own.
  bool park = false;
  // /etc/hostname, /etc/hosts and /etc/resolv.conf are somebody else's business.
  bool keep_etc = false;
  // cloud-init may be inside: what it said of its last boot is not of this one, and who it named stays named.
  bool cloud_init = false;
  std::map<std::string, std::string> sysctl;  // "net.ipv4.ip_forward" → "1": settings of the guest's kernel
};

std::string encode_boot_document(const BootDocument& document);
Result<BootDocument> decode_boot_document(std::string_view json);

// kReady, session 0. The agent says it again on the request "hello".
struct AgentHello {
  std::string agent_version;
  std::string kernel_release;
  std::string boot_id;
  std::int64_t uptime_ms = 0;  // of the guest's kernel when this was said
  std::string workload;        // "running", "waiting" (for start), "none", "ended", "failed", "parked"
  std::int64_t workload_pid = 0;
  std::optional<Error> error;  // "failed": why it could not be started; kExit follows
};
std::string encode_hello(const AgentHello& hello);
Result<AgentHello> decode_hello(std::string_view json);

enum class AgentOp : std::uint8_t {
  kPing,      // nothing more; answers at once
  kHello,     // answers AgentHello in `body`
  kExec,      // runs `process`; streams until kExit
  kShutdown,  // stop signal, `grace_ms`, SIGKILL, sync, power off; answered before it begins
  kStart,     // ends wait_for_start: adds `env` and `files`, then runs the workload
  kStats,     // answers GuestStats in `body`
  kIdentity,  // becomes another guest after a fork: `identity`
  kDial,      // connects to `dial` ("tcp:127.0.0.1:80" or "unix:/run/x"); kStdin/kStdout carry the bytes
  kSignal,    // sends `signal` to the workload
  kSync,      // for a snapshot: flushes every file system, and says nothing behind its answer until the next request
  kCopy,      // the agent's own `process.argv` (wire/copier_arguments.h), as root; streams until kExit
  kBoot,      // ends park: boots `document`, with the random seed and clock of `identity`; a second kReady follows
  kRehearse,  // parked, with the layer mounted: goes through the motions of a boot, and stays parked
};
std::string_view to_text(AgentOp op);

// What must differ between two forks of one snapshot.
struct GuestIdentity {
  std::string hostname;
  std::string machine_id;  // 32 hex digits
  std::optional<GuestNetwork> network;
  std::string new_mac;              // of the interface; empty: unchanged
  std::string random_seed;          // bytes mixed into the kernel's pool (base64 in the JSON)
  std::int64_t wall_clock_ns = 0;   // since the epoch; 0: leave the clock
  bool renew_ssh_host_keys = true;  // where the guest has some
};

struct GuestFile {
  std::string path;
  std::string content;  // bytes (base64 in the JSON)
  std::uint32_t mode = 0400;
  std::string owner;  // user as in GuestProcess
};

struct AgentRequest {
  AgentOp op = AgentOp::kPing;
  GuestProcess process;          // kExec
  std::uint32_t grace_ms = 0;    // kShutdown
  std::vector<std::string> env;  // kStart: secrets, "NAME=value"
  std::vector<GuestFile> files;  // kStart: secrets
  GuestIdentity identity;        // kIdentity; kBoot, kRehearse: random_seed, wall_clock_ns, new_mac
  std::string document;          // kBoot, kRehearse: JSON of a BootDocument
  std::string dial;              // kDial
  int signal = 0;                // kSignal
};
std::string encode_request(const AgentRequest& request);
Result<AgentRequest> decode_request(std::string_view json);

// The answer to a request. `error` keeps its ErrorCode over the wire.
struct AgentResponse {
  std::optional<Error> error;
  std::int64_t pid = 0;  // kExec
  std::string body;      // the JSON text of the operation's own answer, or empty
};
std::string encode_response(const AgentResponse& response);
Result<AgentResponse> decode_response(std::string_view json);

// kEvent, session 0.
struct AgentEvent {
  enum class Type : std::uint8_t {
    kWorkloadStarted,
    kWorkloadExited,  // will be restarted after `backoff_ms`
    kHealthy,
    kUnhealthy,
    kWarning,  // something asked for could not be done: `reason`
  } type = Type::kWarning;
  std::string reason;
  std::int64_t pid = 0;
  int exit_code = 0;
  std::uint32_t restarts = 0;
  std::uint32_t backoff_ms = 0;
};
std::string encode_event(const AgentEvent& event);
Result<AgentEvent> decode_event(std::string_view json);

struct GuestStats {
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t memory_available_bytes = 0;
  std::uint64_t cpu_user_ms = 0;
  std::uint64_t cpu_system_ms = 0;
  std::uint64_t cpu_idle_ms = 0;
  std::uint64_t network_received_bytes = 0;
  std::uint64_t network_sent_bytes = 0;
  std::uint64_t root_total_bytes = 0;
  std::uint64_t root_free_bytes = 0;
  std::uint32_t processes = 0;
  std::uint64_t agent_resident_bytes = 0;
};
std::string encode_stats(const GuestStats& stats);
Result<GuestStats> decode_stats(std::string_view json);

}  // namespace skerry::wire
