// Creation: making one container, from its bundle to "ready and waiting".
//
// Order matters: the name is claimed and the record saved before anything exists in the kernel, the record names the
// cgroups before they are made and the process as soon as it is there. So whenever the runtime is killed, the record
// covers what is left. On an error everything is undone here.
#pragma once

#include <optional>

#include "base/rollback.h"
#include "oci/launch.h"
#include "oci/linux_runtime.h"
#include "oci/net_devices.h"

namespace skerry::oci {

// The configuration as text and as value, with an absolute rootfs.
struct Bundle {
  std::string path;  // absolute
  std::string text;
  Spec spec;
  std::string rootfs;  // absolute
};
Result<Bundle> load_bundle(const CreateRequest& request);
// What can be known to be wrong before anything is made; errors name the JSON path.
Status check_spec(const Spec& spec, const NamespacePlan& namespaces);

// What is to be remembered about it, with its cgroups planned and found unused; the process is not there yet.
Result<ContainerRecord> plan_record(const RuntimeOptions& options, const Bundle& bundle, const std::string& id,
                                    const CgroupLayout& layout);

enum class StartBy : std::uint8_t {
  kCommand,  // `start` connects later
  kCaller,   // `run` goes on itself
};

class Creation {
 public:
  Creation(const RuntimeOptions& options, const StateStore& store, Bundle bundle)
      : options_(options), store_(store), bundle_(std::move(bundle)) {}

  // Up to "ready", or to where the process goes on by itself. `console`: where the terminal's master goes, unset
  // without a terminal.
  Status prepare(const CreateRequest& request, StartBy start_by, Fd console);
  // kCaller: lets the program start, if it does not by itself, and waits until it was executed.
  Status go();
  // Everything stands; nothing is undone any more, and others may work on the container.
  Status commit() {
    TRY(dir_->publish_born());
    rollback_.commit();
    dir_->unlock();
    return {};
  }

  [[nodiscard]] const Launched& launched() const { return launched_; }
  [[nodiscard]] const ContainerRecord& record() const { return record_; }
  [[nodiscard]] const Spec& spec() const { return bundle_.spec; }

 private:
  Status claim_name(const CreateRequest& request);
  Status make_plan(const CreateRequest& request, StartBy start_by, Fd console);
  Status make_groups();
  Status move_net_devices();
  // The pid file is there before the program runs.
  Status make_process(const CreateRequest& request);

  const RuntimeOptions& options_;
  const StateStore& store_;
  Bundle bundle_;
  std::optional<StateDir> dir_;
  ContainerRecord record_;
  NamespacePlan namespaces_;
  CgroupLayout layout_;
  CgroupDoor door_;
  Placeholder placeholder_;
  InitPlan plan_;
  Launched launched_;
  NetDevices net_devices_;
  Rollback rollback_;
};

// Writes a pid as the whole content of a file, atomically.
Status write_pid_file(const std::string& path, pid_t pid);

}  // namespace skerry::oci
