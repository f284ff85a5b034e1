// Jail: runs one OCI configuration under a keeper. The one confinement for all: a container's workload and every VMM
// process are jailed by this same code, through skerry-oci.
//
//   create() ── bundle/config.json ─▶ skerry-keeper run ─▶ skerry-oci create ─▶ process waits before its exec
//   start()  ── skerry-oci start ─▶ the process execs the program
//   remove() ── kills, skerry-oci delete --force ─▶ nothing is left but files, whatever half state it came from
//
// Like a driver (drivers/driver.h) it keeps no truth in memory. EnvironmentPlace::run_dir holds the keeper's files
// (base/keeper_protocol.h) and
//   bundle/config.json  what skerry-oci was told
//   cgroups             where the kernel counts and freezes it, one "controller path" a line (drivers/cgroup.h)
//   started             empty; there once the program has been started. No file: a start that was cut short
// The container id within the runtime is EnvironmentPlace::id. All calls are safe to repeat.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/cgroup_paths.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/keeper_protocol.h"
#include "base/process.h"
#include "base/result.h"
#include "core/plan.h"
#include "drivers/child_reaper.h"
#include "drivers/driver.h"
#include "wire/oci_spec.h"

namespace skerry {

// What the composition root decides.
struct JailConfig {
  std::string runtime;                    // absolute path of skerry-oci
  std::string keeper;                     // absolute path of skerry-keeper
  std::string runtime_root;               // its --root: where it keeps the state of what it created
  std::string cgroup_parent = "/skerry";  // jail ID has the cgroup PARENT/ID; tests take one of their own
  Duration create_timeout = std::chrono::seconds(60);
};

struct JailSpec {
  // Complete but for linux.cgroupsPath, which the jail fills in. root.path is absolute.
  oci::Spec config;
  std::vector<KeeperChannel> channels;
  std::string guest_socket;                  // KeeperRunSpec::guest_socket
  std::optional<KeeperCompanion> companion;  // a process it cannot live without
  // Descriptors for the main process: `source` is borrowed, `target` is its number inside, from 3 on, and no channel's
  // (KeeperChannel::child_fd). The numbers between that nobody has are /dev/null.
  std::vector<SpawnSpec::InheritFd> fds;
  // Descriptors for the runtime alone, by numbers that nobody else has: what the configuration names as
  // /proc/self/fd/NUMBER, and root_fd.
  std::vector<SpawnSpec::InheritFd> runtime_fds;
  int root_fd =
      -1;  // number of a detached mount (open_tree(2)), put over config.root.path for this container; -1: none
  StdinMode stdin_mode = StdinMode::kNull;
  TerminalSize terminal_size;  // with config.process->terminal
};

class Jail {
 public:
  explicit Jail(JailConfig config) : config_(std::move(config)), hierarchies_(CgroupHierarchies::read()) {}

  // Whether the programs are there and can be executed.
  [[nodiscard]] Availability availability() const;

  // Makes the jail and the process in it, which waits to be started. The pid is the host's. The log goes to
  // place.log_path(). A failure has undone itself, except for run_dir. kCommandNotFound / kNotExecutable when the
  // program cannot run (from here or from start()); kAlreadyExists when there is one, or the rest of one.
  Result<pid_t> create(const EnvironmentPlace& place, const JailSpec& spec);
  Status start(const EnvironmentPlace& place);
  // Both in one step, for a process that nothing has to be done about in between; `attach` also gives its stdio, from
  // the first byte on. The errors of both.
  Result<Started> run(const EnvironmentPlace& place, const JailSpec& spec, bool attach);

  // kRunning, kPaused (frozen), kExited (with code and reason), kBroken (cut short, or the keeper was killed), kAbsent.
  Result<Observation> observe(const EnvironmentPlace& place) const;
  // The keeper's pidfd: readable when the run is over and its exit is on record. kNotFound: no keeper lives.
  Result<Fd> watch(const EnvironmentPlace& place) const;
  // Waits at most `timeout` for the end of the run. True: over, or there was none.
  Result<bool> await_end(const EnvironmentPlace& place, Duration timeout) const;

  // To the main process. kConflict when it does not run.
  Status signal(const EnvironmentPlace& place, int signal_number) const;
  // SIGKILL to every process of the jail, frozen or not; returns when the run is over and its exit on record.
  Status kill(const EnvironmentPlace& place) const;
  Status freeze(const EnvironmentPlace& place) const;
  Status thaw(const EnvironmentPlace& place) const;
  // New limits for what runs: memory, swap, CPU quota, period and shares, number of processes.
  Status limit(const EnvironmentPlace& place, const oci::Resources& limits) const;

  // Ends what still runs and removes the container and its cgroup. Works from any half state; on nothing it does
  // nothing. The files in run_dir stay, so that a remove() cut short can be repeated: the caller removes them last
  // (sys::remove_tree), and only then the place is kAbsent.
  Status remove(const EnvironmentPlace& place) const;
  // remove(), and nothing tells of the run any more, except for what else lies in run_dir: another can be made there.
  Status clear(const EnvironmentPlace& place) const;

  // One more process in the running jail. kCommandNotFound / kNotExecutable come as errors, before any output.
  // `program` (borrowed; -1: none) becomes its descriptor 3.
  Result<Conversation> exec(const EnvironmentPlace& place, const oci::Process& process, TerminalSize size,
                            int program = -1);
  // The main process's stdio.
  Result<Conversation> attach(const EnvironmentPlace& place) const;
  // What the cgroups counted, and the traffic of its network namespace.
  Result<UsageSample> usage(const EnvironmentPlace& place) const;

  // The configuration the running jail was made from.
  Result<oci::Spec> read_config(const EnvironmentPlace& place) const;

 private:
  [[nodiscard]] std::vector<std::string> runtime_command(std::vector<std::string> arguments) const;
  Status run_runtime(std::vector<std::string> arguments, std::string_view step) const;

  // What create() and run() have in common.
  Result<pid_t> launch(const EnvironmentPlace& place, const JailSpec& spec, KeeperRunSpec keeper, const Fd& client);

  JailConfig config_;
  CgroupHierarchies hierarchies_;
  ChildReaper reaper_;  // of exec keepers
};

}  // namespace skerry
