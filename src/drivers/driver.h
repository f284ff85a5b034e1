// Driver: the port between the control plane and what really isolates. One implementation per way of isolating:
// container (skerry-oci), qemu (microVMs), cloud-hypervisor, libvirt (full VMs); a fake in tests/testing/.
//
//   control ── Launch ──▶ start()  ┐
//   control ◀─ Observation ─ observe()  │   a driver calls nobody above it and keeps no truth of its own in memory:
//   control ◀─ pidfd ────── watch()     │   all it knows about a run stands in run_dir, so that a new daemon can
//   client  ◀─ frames ───── exec()      ┘   adopt what an old one started
//
// Calls block, and are made from the control plane's worker threads; never two at once for one environment, except
// exec(), attach(), stats(), observe(). Every call is safe to repeat. A start() that fails has undone itself;
// a start() that was killed half-way leaves what observe() calls kBroken and collect() removes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/frame.h"
#include "base/result.h"
#include "core/environment.h"
#include "core/image.h"
#include "core/plan.h"
#include "core/warm_pool.h"

namespace skerry {

// Where an environment keeps its things. Both directories are its own and made by the control plane, mode 0700.
struct EnvironmentPlace {
  std::string id;  // Environment::id
  std::string name;
  std::string state_dir;  // persistent: writable layer or disk, logs
  std::string run_dir;    // of the current run: pids, sockets, mounts; gone when nothing runs
  // The log of the current and earlier runs, in the format of base/keeper_protocol.h.
  [[nodiscard]] std::string log_path() const { return state_dir + "/log"; }
};

// What the control plane has resolved for a network interface inside. All addresses in text form.
struct NetworkAttachment {
  std::string bridge;
  std::string ip;
  std::uint8_t prefix = 24;
  std::string gateway;
  std::string mac;
  std::vector<std::string> dns;
  bool hidden = false;  // from the others on the bridge
};

// A conversation in frames (base/frame.h): the caller sends kStdin, kStdinEof, kResize, kSignal, kClose with this
// session number and receives kStdout, kStderr and at last kExit. Frames with other session numbers, and kinds not
// named here, may come and are to be ignored. Closing the socket hangs up.
struct Conversation {
  Fd socket;
  std::uint32_t session = 0;
  bool plain = false;  // no frames but bytes both ways, until it is closed: a serial line
};

// Everything start() needs, resolved: no driver looks anything up elsewhere.
struct Launch {
  EnvironmentPlace place;
  EnvironmentSpec spec;
  std::optional<Image> image;                // unset when spec.rootfs_path or a root disk is used
  std::string root_disk;                     // spec.root_disk, verified: a path; empty: none
  std::string initramfs;                     // spec.initramfs, likewise
  std::optional<NetworkAttachment> network;  // unset: no network but loopback
  std::uint64_t incarnation = 1;             // which run this is; 1 is the first
  std::string runtime;                       // what its plugin's manifest says under "runtime"; empty: nothing
  std::string saved;    // what save() wrote: this environment's first run goes on from there, as somebody else
  bool attach = false;  // connect to the workload's stdio before it runs: Started::stdio
};

struct Started {
  std::int64_t pid = 0;  // main process on the host
  // Only when Launch::attach asked for it: as attach() gives, but from the workload's first byte on. Connected after
  // the keeper is ready and before the workload starts, so that nothing a short-lived command writes is missed.
  std::optional<Conversation> stdio;
  // When a guest that was forked gave its first answer, long before its workload runs. Zero: it is none, or booted.
  MonoTime answered_at;
};

struct StopRequest {
  std::uint32_t grace_ms = 10'000;  // between the stop signal (or the agent's shutdown) and SIGKILL; 0: kill at once
};

// A command to run inside a running environment.
struct ExecSpec {
  // Whose program it is: one of the environment, or skerry-agent itself, brought along whatever the environment holds,
  // as its root (`argv` is then the words behind its name, wire/copier_arguments.h).
  enum class Program : std::uint8_t { kOwn, kAgent } program = Program::kOwn;
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;  // added to the environment's own
  std::string workdir;                     // empty: the environment's
  std::string user;                        // empty: the environment's
  bool terminal = false;
  TerminalSize size;  // only with a terminal
};

// Use since the start, of the whole environment (cgroup or VMM process). Unset: the host cannot tell.
struct UsageSample {
  std::optional<std::uint64_t> cpu_ns;
  std::optional<std::uint64_t> memory_bytes;  // now
  std::optional<std::uint64_t> memory_peak_bytes;
  std::optional<std::uint64_t> pids;  // now
  std::optional<std::uint64_t> io_read_bytes;
  std::optional<std::uint64_t> io_write_bytes;
  std::optional<std::uint64_t> net_rx_bytes;  // as seen from inside
  std::optional<std::uint64_t> net_tx_bytes;
};

// Whether a driver can work on this host, and in words why (not), for `skerry doctor`.
struct Availability {
  bool available = false;
  std::string reason;  // "KVM works", "no hardware virtualisation: TCG (slow, the jail is the boundary)", "… missing"
};

class Driver {
 public:
  virtual ~Driver() = default;

  [[nodiscard]] virtual Isolation isolation() const = 0;
  // May be expensive the first time; cached by the driver.
  virtual Availability availability() = 0;

  // Makes everything the environment needs and starts it; returns when the workload has been started (a VM: when the
  // agent reported ready). kCommandNotFound / kNotExecutable when the workload's command cannot run.
  virtual Result<Started> start(const Launch& launch) = 0;
  // For an environment that does not exist yet: everything of a start that does not depend on who it will be. observe()
  // says kAbsent, unless what was prepared has ended (kBroken); start() at the same place goes on from there when the
  // launch is of the same shape (core/warm_pool.h), and else as if nothing had been prepared. stats() tells of it,
  // destroy() ends it. What another daemon prepared is kBroken: only whoever prepared it knows for what.
  virtual Status prepare(const Launch& launch, WarmMode mode) {
    static_cast<void>(mode);
    return cannot(launch.place, "cannot be prepared");
  }

  // What is really there now. Never fails for "nothing": that is Phase::kAbsent.
  virtual Result<Observation> observe(const EnvironmentPlace& place) = 0;
  // A descriptor that polls readable when the current run is over and its exit can be observed. kNotFound: no run.
  virtual Result<Fd> watch(const EnvironmentPlace& place) = 0;

  // A run that goes on from before this process: whatever another daemon had begun with it when it was killed (a save,
  // a suspend) is given up, and the guest runs. Once, before anything else is asked of that run; not for a paused one.
  virtual Status adopt(const EnvironmentPlace& place) {
    static_cast<void>(place);
    return {};
  }

  // Ends the run: asks, waits, kills. Returns when the main process is gone. Not running is success.
  virtual Status stop(const EnvironmentPlace& place, const StopRequest& request) = 0;
  // Sends a signal to the workload's main process.
  virtual Status signal(const EnvironmentPlace& place, int signal_number) = 0;
  virtual Status pause(const EnvironmentPlace& place) = 0;
  virtual Status resume(const EnvironmentPlace& place) = 0;

  // New limits of the run, at once. When the kernel refuses one, others may be set already.
  virtual Status limit(const EnvironmentPlace& place, const Resources& resources) {
    static_cast<void>(resources);
    return fail(
        ErrorCode::kUnsupported,
        std::string(place.name) + ": the limits of a running " + std::string(to_text(isolation())) + " are fixed",
        "stop it first: new limits hold from the next start on");
  }

  // After a run is over (or broke): removes mounts, cgroups, network devices, run_dir. Keeps state_dir. Devices that go
  // with a network namespace may take the kernel a moment longer.
  // A disposable environment loses its writable layer here. Must end whatever still runs of it.
  virtual Status collect(const EnvironmentPlace& place, Kind kind) = 0;
  // collect(), and state_dir too. Always succeeds in the end; safe on what was never started.
  virtual Status destroy(const EnvironmentPlace& place) = 0;

  // Runs a command inside. kCommandNotFound / kNotExecutable come as errors, before any output.
  virtual Result<Conversation> exec(const EnvironmentPlace& place, const ExecSpec& spec) = 0;
  // The main process's stdin, stdout and stderr (or its terminal), from now on.
  virtual Result<Conversation> attach(const EnvironmentPlace& place) = 0;
  virtual Result<UsageSample> stats(const EnvironmentPlace& place) = 0;

  // What only guests with an agent can do; the others refuse (kUnsupported).

  // A socket of frames; kEvent on session 0 is wire/agent_protocol.h's AgentEvent, the last one again at the start.
  // kCorrupt, with the reason, when the guest has sent what no agent sends: nothing more will come from it.
  virtual Result<Fd> guest_events(const EnvironmentPlace& place) { return cannot(place, "tells no events"); }
  // Its serial line, what it said last first: the kernel's messages and, once a key is pressed, a shell. Plain.
  virtual Result<Conversation> serial(const EnvironmentPlace& place) { return cannot(place, "has no serial line"); }
  // Saves the run to state_dir, ends it and leaves nothing in run_dir; the next start() goes on with it. A disposable
  // keeps its disk over this. discard_suspended() forgets it.
  virtual Status suspend(const EnvironmentPlace& place) { return cannot(place, "cannot be suspended to disk"); }
  virtual Status discard_suspended(const EnvironmentPlace& place) { return cannot(place, "cannot be suspended"); }
  // Writes to `directory` (there, empty) the disk as it is and, of a run, the memory with it: both of one moment. The
  // run goes on.
  virtual Status save(const EnvironmentPlace& place, const std::string& directory) {
    static_cast<void>(directory);
    return cannot(place, "cannot be saved");
  }
  // Makes an environment without a run what save() wrote; with memory, as if it had been suspended then.
  virtual Status restore(const EnvironmentPlace& place, const std::string& directory) {
    static_cast<void>(directory);
    return cannot(place, "cannot be restored");
  }

 protected:
  [[nodiscard]] std::unexpected<Error> cannot(const EnvironmentPlace& place, std::string_view what) const {
    return fail(ErrorCode::kUnsupported,
                std::string(place.name) + ": a " + std::string(to_text(isolation())) + " " + std::string(what),
                "use --isolation microvm");
  }
};

}  // namespace skerry
