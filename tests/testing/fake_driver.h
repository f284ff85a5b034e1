// FakeDriver: a Driver whose environments exist only in memory, for the unit tests of what stands above the port.
//
// It keeps the port's contract (drivers/driver.h) and complains when its caller does not: see violations(). A test
// steers it from any thread: make calls fail, block, or be cut short as by kill -9, and end or break runs as guests do
// by themselves. One FakeDriver under two controllers, one after the other, is a host that outlives its daemon.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "drivers/driver.h"
#include "wire/agent_protocol.h"

namespace skerry::testing {

enum class DriverCall : std::uint8_t {
  kStart,
  kObserve,
  kWatch,
  kAdopt,
  kStop,
  kSignal,
  kPause,
  kResume,
  kLimit,
  kCollect,
  kDestroy,
  kExec,
  kAttach,
  kStats,
  kSuspend,
  kSave,
  kRestore,
  kPrepare,
};
std::string_view to_text(DriverCall call);

class FakeDriver final : public Driver {
 public:
  explicit FakeDriver(Isolation isolation = Isolation::kContainer) : isolation_(isolation) {}

  // ── what a test does ──
  void set_availability(Availability availability);
  // The next `times` calls of this kind fail and change nothing.
  void fail_next(DriverCall call, Error error, int times = 1);
  // Every call fails and changes nothing, as after the death of the daemon, until reconnect().
  void cut_off();
  void reconnect();
  // Takes back what was to fail, end or be cut short and has not been yet; every command succeeds.
  void heal();
  // The next start is cut short: it fails and leaves half a start (kBroken), as a killed daemon does.
  void cut_next_start_short();
  // The next started run ends at once with this code.
  void end_next_run_with(int exit_code);
  // Calls of this kind wait in the driver until release() (at most ten seconds, then they fail).
  void hold(DriverCall call);
  void release(DriverCall call);
  // Waits until a held call has arrived; false when none does within ten seconds.
  bool await_held(DriverCall call);

  // The workload of environment `id` ends by itself. The end shows in observe() and on the watched descriptors.
  void end_run(const std::string& id, std::optional<int> exit_code, const std::string& reason = {});
  // Its remains turn into half a state.
  void break_run(const std::string& id);
  // Nothing is left of any run, as after a reboot of the host.
  void reboot();

  [[nodiscard]] Phase phase(const std::string& id) const;
  // Ids of all runs that something is left of.
  [[nodiscard]] std::set<std::string> runs() const;
  // The launches of environment `id`, oldest first.
  [[nodiscard]] std::vector<Launch> launches(const std::string& id) const;
  // The calls that changed or tried to change environment `id`: "start", "stop 10000", "signal 1", "collect", ….
  [[nodiscard]] std::vector<std::string> calls(const std::string& id) const;
  [[nodiscard]] int count(DriverCall call) const;
  // What every exec() answers: this output, then this code.
  void set_exec_answer(std::string out, int exit_code);
  // Commands never end, until set_exec_answer().
  void hang_execs();
  // Whether every command that was left hanging has been hung up on.
  bool hung_up_on() const;
  // What the guest of environment `id` tells, to whoever listens; false: nobody does.
  bool tell(const std::string& id, const wire::AgentEvent& event);
  [[nodiscard]] std::vector<ExecSpec> execs(const std::string& id) const;
  // Ids of what is prepared and not taken.
  [[nodiscard]] std::vector<std::string> prepared() const;
  // What was prepared ends by itself.
  void end_prepared(const std::string& id);
  // Broken rules of the port: two calls at once for one environment, a start upon a run, ….
  [[nodiscard]] std::vector<std::string> violations() const;

  // ── Driver ──
  [[nodiscard]] Isolation isolation() const override { return isolation_; }
  Availability availability() override;
  Result<Started> start(const Launch& launch) override;
  // Something is there, which observe() does not show; start() goes on from it.
  Status prepare(const Launch& launch, WarmMode mode) override;
  Result<Observation> observe(const EnvironmentPlace& place) override;
  Result<Fd> watch(const EnvironmentPlace& place) override;
  Status adopt(const EnvironmentPlace& place) override;
  Status stop(const EnvironmentPlace& place, const StopRequest& request) override;
  Status signal(const EnvironmentPlace& place, int signal_number) override;
  Status pause(const EnvironmentPlace& place) override;
  Status resume(const EnvironmentPlace& place) override;
  Status limit(const EnvironmentPlace& place, const Resources& resources) override;
  Status collect(const EnvironmentPlace& place, Kind kind) override;
  Status destroy(const EnvironmentPlace& place) override;
  Result<Conversation> exec(const EnvironmentPlace& place, const ExecSpec& spec) override;
  Result<Conversation> attach(const EnvironmentPlace& place) override;
  Result<UsageSample> stats(const EnvironmentPlace& place) override;
  Result<Fd> guest_events(const EnvironmentPlace& place) override;
  Status suspend(const EnvironmentPlace& place) override;
  Status discard_suspended(const EnvironmentPlace& place) override;
  // The directory gets the file "memory" when it runs or is suspended, else "disk"; restore() wants one of them.
  Status save(const EnvironmentPlace& place, const std::string& directory) override;
  Status restore(const EnvironmentPlace& place, const std::string& directory) override;

 private:
  struct Run {
    Observation observed;
    Fd over;  // an eventfd, readable from the end on
  };
  struct Failure {
    Error error;
    int times = 0;
  };
  class Turn;  // one call of the port while it is under way

  Result<Turn> enter(DriverCall call, const std::string& id, std::string record);
  Result<Run*> living(const std::string& id, std::string_view verb);
  void end(Run& run, std::optional<int> exit_code, const std::string& reason);

  const Isolation isolation_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  Availability availability_{true, "it is a fake"};
  std::map<std::string, Run> runs_;
  std::map<std::string, std::vector<Launch>> launches_;
  std::map<std::string, std::vector<std::string>> calls_;
  std::map<std::string, std::vector<ExecSpec>> execs_;
  std::map<DriverCall, int> counts_;
  std::map<DriverCall, Failure> failures_;
  std::set<DriverCall> held_;
  std::set<std::string> suspended_;
  std::map<std::string, bool> prepared_;  // whether it lives
  std::map<DriverCall, int> waiting_;
  std::map<std::string, int> under_way_;
  std::vector<std::string> violations_;
  std::string exec_out_;
  bool exec_hangs_ = false;
  std::vector<Fd> hanging_;           // our ends of their conversations
  std::map<std::string, Fd> guests_;  // our ends of their channels
  int exec_code_ = 0;
  bool cut_off_ = false;
  bool cut_short_ = false;
  std::optional<int> end_with_;
  std::int64_t next_pid_ = 1000;
};

}  // namespace skerry::testing
