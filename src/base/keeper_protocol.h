// What a driver must know to use skerry-keeper: its command line, its run directory and its reports.
//
// One keeper stands behind one running environment. It is started by a driver, leaves the driver's session, makes the
// stdio, calls `RUNTIME create`, reports, and stays until the main process has ended. `RUNTIME start` is the driver's.
//
//   driver ── spawn (keeper_arguments) ──▶ skerry-keeper ── create ──▶ OCI runtime ──▶ main process (init or VMM)
//      ◀──── "ready PID" on the sync fd ──┘      ▲ parent, stdio, log, exit status
//      ◀════ attach.sock, NAME.sock ═════════════╝
//
// The run directory (0700, made by the driver) then holds
//   pid          KeeperPids, as soon as the report says ready
//   exit         KeeperExit, written atomically after the last byte of output is in the log. When the keeper's pidfd
//                reports its end and there is no exit file, the keeper itself was killed
//   attach.sock  frames (base/frame.h), session 0: the workload's stdio. Client → keeper: kStdin, kStdinEof, kResize,
//                kSignal, kClose. Keeper → client: kStdout, kStderr and at last kExit. Any number of clients (up to
//                kMaxKeeperClients); one that reads too slowly is dropped
//   NAME.sock    one for every channel, see ChannelMode
//   ready        payload of the agent's last kReady (framed channels only)
//   event        payload of the agent's last kEvent (framed channels only)
//   channel-error  why a framed channel was closed: the guest sent something that is not frames
// and the log file beside it, in the Kubernetes CRI log format (base/cri_log.h), rotated to LOG.1, LOG.2, ….
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/frame.h"
#include "base/process.h"
#include "base/result.h"

namespace skerry {

// A slow, greedy or hostile client cannot take more than this of a keeper.
inline constexpr std::size_t kMaxKeeperClients = 64;
inline constexpr std::size_t kMaxClientQueue = 1U << 20U;

// How the keeper serves a channel: a socket pair, one end of which the main process inherits as descriptor `child_fd`.
enum class ChannelMode : std::uint8_t {
  // base/frame.h with many sessions (the agent). NAME.sock takes many clients, each with its own session numbers from 1
  // on; the keeper renumbers. Every client gets, on session 0, the retained kReady and kEvent first and then each new
  // one. Session 0 of the guest is the workload: its kStdout and kStderr go to the log and to attach.sock, its kExit
  // is the workload's exit code. Closing a client's connection closes its sessions (kClose to the guest). A session
  // whose client reads slowly is paused (kPause, kResume), not cut.
  kFramed,
  // Bytes as they are, for one client at a time (QMP); the next one waits in accept. What came while nobody was
  // connected (the last 64 KiB, cut at a line) comes first: the first client sees the greeting, a later one does not.
  kRaw,
  // The serial console: as kRaw, but for many clients, each of which first gets the last 64 KiB; all of it is written
  // to LOG.console as well, size-rotated, without CRI framing.
  kConsole,
};

// A process the run cannot live without, and what it is called where its end is told: when it ends, the main process is
// killed, with the reason "NAME ended" on record.
struct KeeperCompanion {
  std::string name;
  pid_t pid = -1;
  std::uint64_t start = 0;  // process_start_time()
  bool operator==(const KeeperCompanion&) const = default;
};

struct KeeperChannel {
  std::string name;   // [a-z0-9-], names the socket
  int child_fd = -1;  // number in the main process, from 3
  ChannelMode mode = ChannelMode::kRaw;
  auto operator<=>(const KeeperChannel&) const = default;
};

// Where the process gets its standard input from.
enum class StdinMode : std::uint8_t {
  kNull,  // /dev/null
  kOpen,  // a pipe that stays open until a client sends kStdinEof
};

// `skerry-keeper run`: one main process for its whole life.
struct KeeperRunSpec {
  std::string run_dir;
  // The workload's output. With a framed channel that is the guest's; the main process's own (the VMM's) goes to
  // LOG.vmm then.
  std::string log_path;
  std::uint64_t log_max_bytes = 10U << 20U;  // a file is rotated before it grows above
  int log_files = 5;                         // kept, the current one included
  bool terminal = false;                     // a pty instead of three pipes; the bundle's process.terminal must agree
  TerminalSize terminal_size;
  StdinMode stdin_mode = StdinMode::kNull;
  std::vector<KeeperChannel> channels;
  // Empty: the guest of the framed channel holds the descriptor `child_fd`. Else a socket the keeper makes: the guest
  // is who first connects to it, `child_fd` is nothing, and the end of that connection is the guest's: a VMM that lives
  // on (it may be about to start its guest again) is ended, by SIGTERM, and SIGKILL kGuestGrace later.
  std::string guest_socket;
  std::optional<KeeperCompanion> companion;
  std::vector<int> preserve_fds;  // descriptors of the keeper that the main process gets under the same number, from 3
  std::vector<int> runtime_fds;  // descriptors of the keeper that the runtime alone gets, under the same number, from 3
  int root_fd = -1;              // which of them is the root's mount (`RUNTIME --root-fd`, oci/runtime.h); -1: none
  bool start = false;            // `RUNTIME run --detach` instead of create: the workload runs when the report comes
  int attach_fd = -1;            // descriptor of the keeper: a client of attach.sock from the first byte on; -1: none
  std::string oom_file;          // counts the group's OOM kills, from 0 on; empty: found by the main process's group
  int sync_fd = -1;              // descriptor of the keeper for the report; -1: none
  std::string runtime;           // absolute path of the OCI runtime
  std::vector<std::string> runtime_args;  // before the subcommand: --root …, --systemd-cgroup
  std::string bundle;
  std::string id;
  bool operator==(const KeeperRunSpec&) const = default;
};

// `skerry-keeper exec`: one more process in a running container, for one connection. Not a daemon: it lives as its
// child of the driver. It runs `RUNTIME exec --process FILE` and speaks frames (session 0) on `socket_fd`:
//   first  kResponse   the report (encode_report): started, or why not
//   then   kStdout, kStderr and last kExit; after a failed start kExit comes with 126 or 127 (shell convention) or 125
//   takes  kStdin, kStdinEof, kResize, kSignal, kClose
// When the peer sends kClose or goes away the process gets SIGHUP and, kExecGrace later, SIGKILL.
struct KeeperExecSpec {
  int socket_fd = -1;
  std::string runtime;
  std::vector<std::string> runtime_args;
  std::string id;
  std::string process_file;  // OCI process object as JSON
  int program_fd = -1;       // descriptor of the keeper that the process gets as its number 3; -1: none
  bool terminal = false;
  TerminalSize terminal_size;  // set when the terminal comes; process_file's consoleSize counts before that
  bool operator==(const KeeperExecSpec&) const = default;
};
inline constexpr Duration kExecGrace = std::chrono::seconds(2);
inline constexpr Duration kGuestGrace = std::chrono::seconds(2);

// The command line behind the program's name.
std::vector<std::string> keeper_arguments(const KeeperRunSpec& spec);
std::vector<std::string> keeper_arguments(const KeeperExecSpec& spec);

// The files of a run directory.
struct KeeperPaths {
  std::string run_dir;
  [[nodiscard]] std::string pid() const { return run_dir + "/pid"; }
  [[nodiscard]] std::string exit() const { return run_dir + "/exit"; }
  [[nodiscard]] std::string ready() const { return run_dir + "/ready"; }
  [[nodiscard]] std::string event() const { return run_dir + "/event"; }
  [[nodiscard]] std::string channel_error() const { return run_dir + "/channel-error"; }
  [[nodiscard]] std::string attach_socket() const { return run_dir + "/attach.sock"; }
  [[nodiscard]] std::string channel_socket(std::string_view name) const {
    return run_dir + "/" + std::string(name) + ".sock";
  }
};

// The file `pid`: who runs. A pid means something only together with its start time and the boot it belongs to.
struct KeeperPids {
  pid_t main = -1;
  std::uint64_t main_start = 0;  // process_start_time()
  pid_t keeper = -1;
  std::uint64_t keeper_start = 0;
  std::string boot_id;  // /proc/sys/kernel/random/boot_id
  bool operator==(const KeeperPids&) const = default;
};
std::string encode_pids(const KeeperPids& pids);
Result<KeeperPids> decode_pids(std::string_view text);
// Reads RUNDIR/pid; kNotFound when there is none, also when it is of an earlier boot.
Result<KeeperPids> read_keeper_pids(const std::string& run_dir);

// The file `exit`: how the main process ended.
struct KeeperExit {
  ExitStatus status;                 // of the main process
  std::optional<int> workload_code;  // what the guest's agent reported for the workload (shell code)
  WallTime ended;
  std::optional<bool> oom_killed;  // the cgroup counted an OOM kill; nullopt: not known
  std::string note;                // anything odd that happened, one line; may be empty
  // What to show: the workload's own code where there is one.
  [[nodiscard]] int shell_code() const { return workload_code ? *workload_code : status.shell_code(); }
  bool operator==(const KeeperExit&) const = default;
};
std::string encode_exit(const KeeperExit& exit);
Result<KeeperExit> decode_exit(std::string_view text);
// Reads RUNDIR/exit; kNotFound when there is none (yet).
Result<KeeperExit> read_keeper_exit(const std::string& run_dir);

// The report on the sync descriptor, one line: "ready PID" or "error CODE TEXT".
std::string encode_report(const Result<pid_t>& main_pid);
Result<pid_t> decode_report(std::string_view line);
// Waits for the report; kUnavailable when the keeper went without one, kDeadlineExceeded after `timeout`.
Result<pid_t> await_report(int sync_fd, Duration timeout);

}  // namespace skerry
