// Actor: the one writer of one environment.
//
// Tasks (commands and wake-ups) are worked off one after the other, each by: store the goal, then observe → plan → act
// → store until the plan has nothing more to do. Whatever happened meanwhile (lost wake-ups, a killed daemon, a guest
// ended by hand) the loop converges, because it looks at what is there and not at what it did.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/controller.h"
#include "control/start_times.h"
#include "control/wakeups.h"
#include "control/worker_pool.h"
#include "core/environment.h"
#include "core/plan.h"
#include "drivers/driver.h"
#include "store/store.h"

namespace skerry {

// Where an environment that begins as a fork finds what Driver::save() wrote, until its first run.
inline std::string saved_of(const EnvironmentPlace& place) { return place.state_dir + "/saved"; }

EnvironmentPlace place_of(const ControllerConfig& config, const Environment& environment);

// What all actors share. Outlives them.
struct ActorContext {
  const ControllerConfig& config;
  Clock& clock;
  Store& store;
  WorkerPool& pool;
  Wakeups& wakeups;
  StartTimes& start_times;
  // Everything start() needs for this environment, resolved.
  std::function<Result<Launch>(const Environment&, const EnvironmentPlace&)> make_launch;
  // The published ports or addresses of this environment appear or go: the firewall must follow. Fails closed.
  std::function<Status()> refresh_firewall;
  // The environment is gone for good.
  std::function<void(const std::string& id)> forget;
  // A view is another one now: before anybody is told why.
  std::function<void()> changed;
};

class Actor : public std::enable_shared_from_this<Actor> {
 public:
  Actor(ActorContext& context, Driver& driver, Environment environment);

  [[nodiscard]] Environment snapshot() const { return *shared(); }
  // As readers share it; null when it is gone.
  [[nodiscard]] EnvironmentView view() const;
  // Deleted, or about to be: no longer counted among the environments.
  [[nodiscard]] bool gone() const;
  [[nodiscard]] const EnvironmentPlace& place() const { return place_; }
  [[nodiscard]] Driver& driver() const { return driver_; }

  // Admits now, queues, and calls `done` when it is so (controller.h says what that means for each verb).
  void command(VerbCommand command, Completion done);
  // The first start after creation: when it fails the environment is deleted again. With `stdio` the workload's stdio
  // is handed over as soon as it has been started.
  void first_start(Completion done, StdioSink stdio = nullptr);
  // The health of the run with this number has changed.
  void report_health(std::uint64_t incarnation, Health health, std::string reason);
  // Its guest starts its workload again.
  void report_guest_restart(const Controller::GuestRestart& restart);
  // Look again: a run ended, a time has come, or the daemon just started.
  void wake();
  // Calls `done` when no run is there and none is due. kResourceExhausted when thousands wait already.
  void wait_exit(Completion done);
  // Controller::save() and restore().
  void save_run(const std::string& directory, Completion done);
  void restore_run(const std::string& directory, Completion done);

 private:
  struct HealthReport {
    std::uint64_t incarnation = 0;
    Health health = Health::kUnknown;
    std::string reason;
  };
  struct Task {
    std::optional<VerbCommand> command;  // unset: only look
    Completion done;
    bool delete_on_failure = false;
    StdioSink stdio = nullptr;  // a start that somebody is attached to
    std::optional<HealthReport> health = std::nullopt;
    std::function<Status()> job = nullptr;  // instead of a command: something else to do with nobody in between
  };

  void enqueue(Task task);
  void work();  // runs tasks until none is left; on a worker
  void run_task(Task& task);
  Status carry_out(const VerbCommand& command);
  Status suspend(const StopRequest& stop);
  Status record_guest_restart(const Controller::GuestRestart& restart);
  Status record_health(const HealthReport& report);
  // Stored, and of a run that lives at once.
  Status change_limits(const Resources& wanted);
  Status settle_limits();
  // There while the limits of the run may be other ones than the stored.
  [[nodiscard]] std::string limits_note() const;
  // Stores a new goal (and, for a start, that it is starting).
  Status want(Goal goal, std::optional<State> state);
  // observe → plan → act, until nothing is left to do. The error of the last failed act, if any.
  Status converge(const StopRequest& stop);
  Status act(const Step& step, const Observation& observed, const StopRequest& stop);
  // Tells the driver, once, of a run that another daemon started.
  void take_over(const Observation& observed);
  // The state follows what is really there (an adopted run, a pause by hand).
  Status adopt(const Observation& observed);

  Status do_start();
  Status do_stop(const StopRequest& stop);
  void leave_service();
  void close_ports();
  Status do_freeze(Action action);
  Status do_suspend();
  Status do_restore(const std::string& directory);
  Status do_collect(const Observation& observed);
  Status remove_remains();
  Status finish_last_run();
  // What the stored environment becomes now that its run is over; unset: as it is.
  std::optional<Environment> after_end(const Observation& observed);
  // It is gone for everybody else; then its remains are cleaned up.
  Status retire(Environment last, std::string_view end);
  Status clean_up();
  Status do_destroy(const StopRequest& stop);
  Status record_started(std::int64_t pid, bool adopted);
  Status record_suspended(std::string_view event);
  Status record_lost_memory();
  Status record_start_failure(const Error& error);
  void arm_watch();

  [[nodiscard]] EnvironmentView shared() const;
  EnvironmentView exchange(EnvironmentView changed);
  // Replaces the stored environment and the copy that readers see, together with an event ("" for none).
  Status save(const Environment& changed, std::string_view event);
  void finish_waiters();
  void finish_retiring();
  // What readers see from now on, and whether it is still there for them.
  void set_last(const Environment& environment, bool gone);

  ActorContext& context_;
  Driver& driver_;
  const EnvironmentPlace place_;

  mutable std::mutex mutex_;
  EnvironmentView environment_;      // guarded; never null
  std::deque<Task> tasks_;           // guarded
  std::vector<Completion> waiters_;  // guarded
  bool working_ = false;             // guarded: a worker runs work()
  bool gone_ = false;                // guarded: deleted
  bool retired_ = false;             // worker only: gone, and something of it is still on the host
  StdioSink stdio_;                  // worker only: of the task at hand, until it is served
  RunHistory history_;               // worker only
  MonoTime started_mono_;            // worker only
  bool taken_over_ = false;          // worker only: no run of another daemon is there that the driver was not told of
};

}  // namespace skerry
