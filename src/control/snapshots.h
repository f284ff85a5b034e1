// Snapshots: environments as they were, kept by name below one directory, and forks of what runs.
//
//   <dir>/<name>/        what the driver saved; there before the row of the store and after it
//   <dir>/.fork-<name>/  of the source of the fork NAME, until that has been created
//
// What has no row is the rest of something cut short, and removed at the start. Thread-safe; `done` as in
// Controller::submit().
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/controller.h"
#include "core/snapshot.h"
#include "store/store.h"

namespace skerry {

class Snapshots {
 public:
  using Done = std::function<void(Result<Snapshot>)>;

  static Result<std::unique_ptr<Snapshots>> create(std::string dir, Store& store, Controller& controller, Clock& clock);

  // Of an environment that runs (disk and memory; the run goes on), is suspended, or has run (the disk).
  void take(const std::string& environment, const std::string& name, const Done& done);
  // The environment it was taken of, which must not run, becomes what it was then.
  void restore(const std::string& name, const Completion& done);
  // A new environment goes on from here, as somebody else.
  void fork(const std::string& environment, const ForkRequest& request, const Completion& done);
  void fork_snapshot(const std::string& name, const ForkRequest& request, const Completion& done);
  Status remove(const std::string& name);

  Result<std::vector<Snapshot>> list() { return store_.snapshots(); }
  Result<Snapshot> find(const std::string& name);

 private:
  Snapshots(std::string dir, Store& store, Controller& controller, Clock& clock)
      : dir_(std::move(dir)), store_(store), controller_(controller), clock_(clock) {}
  [[nodiscard]] std::string directory(const std::string& name) const { return dir_ + "/" + name; }
  Status clear_leftovers();
  Status begin(const std::string& name);
  // begin() of one that exists; of one that does not. Looked for behind begin(): what is being recorded or removed
  // right now would else be seen as it was before.
  Result<Snapshot> begin_known(const std::string& name);
  Status begin_new(const std::string& name);
  void save_to(const std::string& name, const std::string& environment, const Completion& done);
  void end(const std::string& name);
  Result<Snapshot> record(const Environment& environment, const std::string& name);
  void create_fork(const EnvironmentSpec& source, const ForkRequest& request, const std::string& saved,
                   const Completion& done);

  const std::string dir_;
  Store& store_;
  Controller& controller_;
  Clock& clock_;
  std::mutex mutex_;
  std::set<std::string> under_way_;  // guarded: directories that somebody writes or reads
};

}  // namespace skerry
