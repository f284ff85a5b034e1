// Deployments: keeps every deployment at its number of replicas.
//
// One thread compares, for each deployment, what is wanted with the environments there are (core/deployment_plan.h) and
// submits creations and deletions to the controller, each replica at most one at a time. It looks again at every event,
// when a back-off has passed, and every few seconds whatever happens. It remembers nothing but back-offs: replicas are
// the environments whose `deployment` field says so.
//
// A replica that fails is made again after a back-off of its number, which doubles from half a second up to
// kMaxBackoffMs. It begins anew when the number has had a replica that was ready for kSteadyAfter, or when somebody
// changes a deployment.
//
// Ready replicas above the wanted number stay while they are needed (core/deployment_plan.h), kSurplusPatience at most;
// longer only where nothing can be made in their stead, for want of the plugin.
//
//   deployments.cc            what clients ask
//   deployments_loop.cc       the thread
//   deployment_checks.h       what is refused        deployment_revision.h  what it runs and ran
//   deployment_services.h     its virtual address
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/controller.h"
#include "control/event_feed.h"
#include "core/deployment_plan.h"
#include "core/plugin.h"
#include "store/store.h"

namespace skerry {

struct DeploymentStatus {
  Deployment deployment;
  std::uint32_t current = 0;  // replicas that are there
  std::uint32_t ready = 0;    // of the wanted numbers, and run (and are healthy)
  // Its plugin is missing; or, while not all are ready and in this daemon's life: what failed last of the revision that
  // it is to run, or why the one before was taken back.
  std::string reason;
};

class Deployments {
 public:
  // Starts the thread. All ports outlive this.
  static Result<std::unique_ptr<Deployments>> create(Store& store, Controller& controller, EventFeed& feed,
                                                     Clock& clock);
  // Stops the thread; replicas go on running.
  ~Deployments();
  Deployments(const Deployments&) = delete;
  Deployments& operator=(const Deployments&) = delete;

  // `config_json` is a creation request (wire/environment_json.h) without a name. `plugin` is a reference
  // (core/plugin_version.h), or empty: what the configuration names. Without a version it becomes the newest enabled
  // one, and stays that until an update. Checked here: kInvalidArgument, kAlreadyExists, kNotFound and kConflict
  // (plugin missing, disabled). A service without an address gets one.
  Result<DeploymentStatus> add(const std::string& name, const std::string& plugin, const std::string& config_json,
                               std::uint32_t replicas, std::uint32_t max_unavailable = 1,
                               std::optional<ServiceSpec> service = std::nullopt);
  Result<DeploymentStatus> scale(const std::string& name, std::uint32_t replicas);
  // A new plugin or configuration: replicas are replaced while no more than max_unavailable of them are missing or not
  // ready. When replicas of the new revision fail kFailuresToRollBack times before all have been ready once, the
  // deployment goes back to what it ran before ("deployment.rolled_back").
  struct Change {
    std::optional<std::string> plugin;  // a reference; without a version the newest enabled one
    std::optional<std::string> config_json;
    std::optional<std::uint32_t> max_unavailable;
    // A service replaces the one there is, and keeps its address unless it names one; none takes it away. Replicas are
    // not replaced.
    std::optional<std::optional<ServiceSpec>> service = std::nullopt;
    std::optional<std::uint32_t> replicas = std::nullopt;
  };
  // All of it in one step, or nothing.
  Result<DeploymentStatus> update(const std::string& name, const Change& wanted);
  // Back to what it ran before the last update; a second call undoes the first. It is rolling until all are ready, and
  // is not taken back. kConflict: there was no update.
  Result<DeploymentStatus> roll_back(const std::string& name);
  // Removes its replicas too, in the background.
  Status remove(const std::string& name);
  Result<std::vector<DeploymentStatus>> list();
  Result<DeploymentStatus> find(const std::string& name);

  static constexpr std::uint32_t kMaxReplicas = 1000;
  static constexpr std::uint32_t kFailuresToRollBack = 3;
  // Twice the longest back-off (10 minutes, as Kubernetes' kubelet has it): what fails as often as it may never holds
  // for that long.
  static constexpr Duration kSteadyAfter = 2 * std::chrono::milliseconds(kMaxBackoffMs);
  // From the last change on, and in this daemon's life; as long as Kubernetes gives a rollout to progress.
  static constexpr Duration kSurplusPatience = std::chrono::minutes(10);

 private:
  Deployments(Store& store, Controller& controller, Clock& clock)
      : store_(store), controller_(controller), clock_(clock) {}
  void run();
  void reconcile();
  void reconcile_one(const Deployment& deployment, const EnvironmentViews& environments);
  // What it is to come to now; `can_create`: nothing is known against new replicas.
  DeploymentGoal goal_of(const Deployment& deployment, const std::vector<ReplicaView>& present, bool can_create);
  void remove_orphans(const std::vector<Deployment>& deployments, const EnvironmentViews& environments);
  // Whether an update that is under way has come to its end, or must be taken back.
  void judge_update(const Deployment& deployment, const std::vector<ReplicaView>& present);
  // Of a replica of this deployment's revision.
  void count_failure(const Deployment& deployment, const std::string& reason);
  struct Failures {
    std::uint32_t count = 0;
    std::string last;  // why
  };
  [[nodiscard]] Failures failures_of(const Deployment& deployment) const;
  void forget_failures(const std::string& deployment);
  // Reads the deployment, changes it, checks and stores it with the event, one at a time.
  // `details` go into the event's data.
  Status change(const std::string& name, const std::vector<std::string_view>& events,
                const std::function<Status(Deployment&)>& edit, const std::map<std::string, std::string>& details = {});
  void create_replica(const Deployment& deployment, std::uint32_t number);
  // As it is stored now. With change_mutex_ held.
  bool is_still_wanted(const Deployment& deployment, std::uint32_t number);
  // False: it is being acted on already, or is not any more as it was seen.
  bool remove_replica(const Environment& seen, std::string_view why);
  // Marks a replica as being acted on; false when it is, or its back-off has not passed.
  bool claim(const std::string& name, bool creating);
  void release(const std::string& name, bool failed);
  // Those of numbers whose replicas have held long enough.
  void forget_backoffs(const std::string& deployment, const std::vector<ReplicaView>& present);
  DeploymentStatus status_of(const Deployment& deployment, const EnvironmentViews& environments) const;
  void poke();
  // Somebody has changed this deployment: what failed before may work now.
  void retry_at_once(const std::string& deployment);

  Store& store_;
  Controller& controller_;
  Clock& clock_;
  EventFeed::Subscription subscription_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  bool dirty_ = true;
  bool stopping_ = false;
  std::set<std::string> busy_;
  struct Backoff {
    std::uint32_t failures = 0;
    MonoTime not_before;
    std::optional<MonoTime> ready_since;  // as far as has been seen
  };
  std::map<std::string, Backoff> backoffs_;
  // Of each deployment and each of its revisions since the last update: creations of the one before may still fail.
  std::map<std::string, std::map<std::string, Failures>> failures_;
  std::map<std::string, std::string> taken_back_;  // why the last update was; until the next, or until all are ready
  std::map<std::string, MonoTime> surplus_since_;  // of deployments that have replicas above the wanted number
  std::mutex change_mutex_;
  std::thread thread_;
};

}  // namespace skerry
