// LiveController: the class behind Controller::create(). Its parts:
//
//   controller.cc            the daemon's start, commands, questions, the firewall
//   controller_creation.cc   from a wish to a stored environment, and from that to a launch
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/actor.h"
#include "control/asked_lately.h"
#include "control/controller.h"
#include "control/wakeups.h"
#include "control/warm_pool.h"
#include "control/worker_pool.h"
#include "core/admission.h"
#include "core/crossings.h"

namespace skerry {

class LiveController final : public Controller {
 public:
  LiveController(ControllerConfig config, ControllerPorts ports)
      : config_(std::move(config)), ports_(std::move(ports)), pool_(config_.workers), asked_lately_(config_.spares) {}
  ~LiveController() override {
    // First the workers: they use the wakeups. A wake-up after that posts to a pool that drops it.
    pool_.stop();
    warm_pool_.reset();
    wakeups_.reset();
  }
  LiveController(const LiveController&) = delete;
  LiveController& operator=(const LiveController&) = delete;

  Status open();
  // For who moves the clock: whatever it makes due is done.
  void look_at_clock() { wakeups_->look(); }

  void submit(Command command, Completion done) override;
  void run_attached(CreateCommand command, StdioSink stdio, Completion done) override;
  SharedViews views() override;
  Result<Environment> find(const std::string& name) override;
  Result<Conversation> exec(const std::string& name, const ExecSpec& spec) override;
  Result<Conversation> attach(const std::string& name) override;
  Result<Conversation> serial(const std::string& name) override;
  Result<UsageSample> stats(const std::string& name) override;
  Result<Fd> guest_events(const std::string& name) override;
  void report_health(const std::string& id, std::uint64_t incarnation, Health health, std::string reason) override;
  void report_guest_restart(const std::string& id, const GuestRestart& restart) override;
  void save(const std::string& name, const std::string& directory, Completion done) override;
  void restore(const std::string& name, const std::string& directory, Completion done) override;
  Result<std::string> log_path(const std::string& name) override;
  void wait_exit(const std::string& name, Completion done) override;
  std::map<Isolation, Histogram::Sample> start_times() override;
  std::vector<WarmPoolStatus> warm_pools() override {
    return warm_pool_ ? warm_pool_->status() : std::vector<WarmPoolStatus>{};
  }
  std::map<Isolation, Availability> capabilities() override;
  Status refresh_network() override { return refresh_firewall(); }
  Result<std::string> choose_service_address(const std::string& zone, const std::string& wanted) override;
  std::vector<std::string> users_of_image(const std::string& manifest_digest) override;
  bool settle(Duration at_most) override;

 private:
  void create_environment(const CreateCommand& command, StdioSink stdio, Completion done);
  Result<std::shared_ptr<Actor>> store_new(const CreateCommand& command);
  void open_warm_pool();
  Result<Launch> warm_launch(const WarmShape& shape);
  Result<Environment> store_record(Environment environment, const CreateCommand& command);
  Result<EnvironmentSpec> complete(const CreateCommand& command);
  Status check_plugin(const EnvironmentSpec& spec);
  Result<CreationFacts> creation_facts(const EnvironmentSpec& spec, Driver* driver);
  std::shared_ptr<Actor> add_actor(Driver& driver, Environment environment);
  Result<std::shared_ptr<Actor>> actor(const std::string& name);
  Result<std::shared_ptr<Actor>> alive(const std::string& name);  // whose run somebody can be attached to
  Driver* driver_for(Isolation isolation);
  Status resolve_disks(const Environment& environment, Launch& launch);
  Result<Launch> make_launch(const Environment& environment, const EnvironmentPlace& place);
  void say_closed(const std::vector<Crossing>& closed);
  Result<std::string> runtime_of(const EnvironmentSpec& spec);
  Result<Zone> standing_zone(const std::string& name);
  Status refresh_firewall();
  void remove_leftovers(const std::string& parent);

  const ControllerConfig config_;
  const ControllerPorts ports_;
  WorkerPool pool_;
  StartTimes start_times_;
  std::unique_ptr<Wakeups> wakeups_;
  std::unique_ptr<ActorContext> context_;
  AskedLately asked_lately_;
  std::unique_ptr<WarmPool> warm_pool_;     // none: nothing may be kept ready
  std::mutex create_mutex_;                 // one creation at a time: admission and the insert see the same facts
  std::set<std::string> closed_crossings_;  // with firewall_mutex_ held
  std::mutex firewall_mutex_;               // one refresh at a time, in order
  std::mutex mutex_;
  std::vector<std::shared_ptr<Actor>> actors_;  // in order of creation; also those that are gone until all of it is
  std::condition_variable forgotten_;           // one less of these
  SharedViews views_{{}};                       // of these, unless they are stale
  std::atomic<bool> views_are_stale_ = true;
};

}  // namespace skerry
