// Controller: the heart of skerryd. Admits commands, keeps every environment at what is wanted, adopts what an earlier
// daemon left running.
//
//   submit(Command) ─▶ admission (core/) ─▶ goal stored + event ─▶ queue of that environment ─▶ worker:
//                                                                        ▲         observe → plan (core/) → act → store
//                                                                        │                    └──── until kNone ◀──┘
//              pidfd of the run ends · back-off passes · daemon starts ──┘
//
// One writer per environment: at any moment at most one worker acts on an environment, in the order of its queue.
// Nothing here knows HTTP or JSON; api/ turns requests into these calls and answers into text.
//
// Threads: create() starts `workers` workers and one watcher; all methods may be called from any thread. Methods marked
// BLOCKING talk to drivers and must not be called from an I/O thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/result.h"
#include "core/command.h"
#include "core/environment.h"
#include "core/warm_pool.h"
#include "drivers/driver.h"
#include "store/store.h"

namespace skerry {

class ImageStore;  // image/store.h
class Network;     // control/network.h
class PolicyBook;  // control/policy_book.h
class Zones;       // control/zones.h

// Whether a plugin with this manifest (JSON) may be used on this host: kRefused says why not.
using PluginCheck = std::function<Status(const std::string& manifest_json)>;

struct ControllerConfig {
  std::string state_dir;         // environments below <state_dir>/environments/<id>
  std::string run_dir;           // runs below <run_dir>/environments/<id>
  std::vector<std::string> dns;  // for environments that name none; empty: the host's resolvers
  unsigned workers = 8;
  PluginCheck check_plugin = nullptr;  // before anything of one starts; empty: all may
  std::uint64_t warm_pool_mib = 0;     // most memory of machines that are kept ready; 0: none are
  std::size_t spares = 0;              // most kinds of them that no plugin wishes for (AskedLately)
};

// What the controller drives. All outlive it.
struct ControllerPorts {
  Clock& clock;
  Store& store;
  ImageStore& images;
  Network& network;
  Zones& zones;  // which have opened the network
  PolicyBook& policy;
  std::vector<Driver*> drivers;  // at most one per isolation
};

// Called once, from a worker thread, when the command is done: the environment as it is then, or why not.
using Completion = std::function<void(Result<Environment>)>;

// Takes over the workload's stdio, once.
using StdioSink = std::function<void(Conversation)>;

// All environments at one moment: shared, never changed, as cheap to hand on as a pointer.
class SharedViews {
 public:
  SharedViews(EnvironmentViews views)  // NOLINT(google-explicit-constructor)
      : views_(std::make_shared<const EnvironmentViews>(std::move(views))) {}
  operator const EnvironmentViews&() const { return *views_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] auto begin() const { return views_->begin(); }
  [[nodiscard]] auto end() const { return views_->end(); }
  [[nodiscard]] bool empty() const { return views_->empty(); }
  [[nodiscard]] std::size_t size() const { return views_->size(); }

 private:
  std::shared_ptr<const EnvironmentViews> views_;
};

class Controller {
 public:
  // Opens for business, on a network that is open but closed to everybody: rebuilds the firewall from the store (fail
  // closed: no environment starts before that stands), then adopts every stored environment and clears leftovers of
  // killed operations. BLOCKING.
  static Result<std::unique_ptr<Controller>> create(ControllerConfig config, ControllerPorts ports);
  // Stops the threads after the current steps. Environments go on running.
  virtual ~Controller() = default;

  // Admits and stores at once (fast; errors come through `done` before submit returns), then acts in the background.
  //   create+start: done when it runs (a failed start is removed again and its error reported);
  //   create without start, update: when stored; start, resume, pause, restart: when it is so;
  //   stop, kill by SIGKILL: when the run is over; kill by another signal: when it was sent; delete: when nothing is
  //   left (the answer is the last known value). One with auto_remove is gone, with its name free, when its run is
  //   over; its mounts, devices and files follow a moment later, and its address is not leased before.
  virtual void submit(Command command, Completion done) = 0;

  // submit() of a creation that starts at once, for a client that wants the workload's stdio from its first byte on
  // (`skerry run` in the foreground): `stdio` is called from a worker as soon as the workload has been started, before
  // `done`, and not at all when it could not be. When the run is short, `done` may already tell of its end.
  virtual void run_attached(CreateCommand command, StdioSink stdio, Completion done) = 0;

  // In order of creation. Cheap: nothing is copied, and while nothing changes all get the same.
  virtual SharedViews views() = 0;
  std::vector<Environment> environments();                        // copies of these
  virtual Result<Environment> find(const std::string& name) = 0;  // kNotFound says how to list

  // BLOCKING. Refused by admission unless it runs.
  virtual Result<Conversation> exec(const std::string& name, const ExecSpec& spec) = 0;
  virtual Result<Conversation> attach(const std::string& name) = 0;
  virtual Result<Conversation> serial(const std::string& name) = 0;  // Driver::serial() of its run
  virtual Result<UsageSample> stats(const std::string& name) = 0;
  // Driver::guest_events() of its run.
  virtual Result<Fd> guest_events(const std::string& name) = 0;

  // What a health check found about this run of the environment with this id; late news about an earlier run are
  // dropped. Stores the change with its event ("healthy", "unhealthy").
  virtual void report_health(const std::string& id, std::uint64_t incarnation, Health health, std::string reason) = 0;

  // The workload of this run has ended and its guest will start it again. Counted, and told as a crash ("crashed")
  // unless it ended well.
  struct GuestRestart {
    std::uint64_t incarnation = 0;
    int exit_code = 0;
    std::uint32_t restarts = 0;  // in a row, with the one that comes
    std::uint32_t backoff_ms = 0;
  };
  virtual void report_guest_restart(const std::string& id, const GuestRestart& restart) = 0;

  // Writes its disk, and with a run its memory, to `directory` (there, empty); a run goes on. `done` as in submit():
  // the environment as it was saved.
  virtual void save(const std::string& name, const std::string& directory, Completion done) = 0;
  // Makes what does not run what save() wrote: suspended when there is memory, else stopped.
  virtual void restore(const std::string& name, const std::string& directory, Completion done) = 0;

  // Where the log of an environment is (base/keeper_protocol.h tells the format), also when it does not run.
  virtual Result<std::string> log_path(const std::string& name) = 0;
  // Calls back once, from a worker, when the environment's present run is over or it is deleted; at once when none
  // runs.
  virtual void wait_exit(const std::string& name, Completion done) = 0;

  // How long starts took since this daemon lives.
  virtual std::map<Isolation, Histogram::Sample> start_times() { return {}; }
  // What is kept ready for plugins that ask for it, by name.
  virtual std::vector<WarmPoolStatus> warm_pools() { return {}; }
  // What each isolation can do here, with reasons. BLOCKING the first time.
  virtual std::map<Isolation, Availability> capabilities() = 0;
  // The network as the stored deployments and environments and the policy ask for now: for whoever has changed a
  // deployment's service or the policy.
  // BLOCKING.
  virtual Status refresh_network() = 0;
  // The address a new service in this zone gets: `wanted`, or one that is free. kInvalidArgument, kAlreadyExists,
  // kConflict (the host has it), kResourceExhausted. Whoever asks stores it before anybody else may ask.
  virtual Result<std::string> choose_service_address(const std::string& zone, const std::string& wanted) = 0;
  // Names of environments that use this image (by digest): it cannot be removed while there are any.
  virtual std::vector<std::string> users_of_image(const std::string& manifest_digest) = 0;
  // Waits until nothing is left on the host of environments that are already gone for everybody (those removed at their
  // end: their remains are cleaned up after the answer). False: not in time; the next daemon goes on with it. For a
  // daemon that ends: what was kept ready for plugins goes too, and nothing is any more. BLOCKING.
  virtual bool settle(Duration at_most) = 0;
};

}  // namespace skerry
