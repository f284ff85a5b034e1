// Runtime: what an OCI runtime can do, whatever it isolates with.
//
// This is the seam between the command line (cli_*.cc) and an engine: LinuxRuntime makes containers of namespaces and
// control groups; another engine (one that boots a microVM for each) implements the same operations and gets the same
// command line. Requests are plain values; paths in them are as the caller gave them.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/oci_spec.h"
#include "wire/oci_spec_state.h"

namespace skerry::oci {

struct CreateRequest {
  std::string id;
  std::string bundle = ".";
  std::string config;          // file name below the bundle, or absolute; empty: config.json
  std::string pid_file;        // empty: none
  std::string console_socket;  // empty: none
  unsigned preserve_fds = 0;
  // A detached mount (open_tree(2), fsmount(2)) that becomes the root: it is put over /root/path in the container's
  // mount namespace and nowhere else, so that the host's table of mounts, which each container starts with a copy of,
  // does not grow with their number. Any descriptor but those that the program keeps. -1: what lies at /root/path.
  int root_fd = -1;
  bool no_pivot = false;
  bool no_new_keyring = false;
};

struct RunRequest {
  CreateRequest create;
  bool detach = false;
  bool keep = false;  // the stopped container stays until it is deleted
};

struct ExecRequest {
  std::string id;
  std::optional<Process> process;  // whole, from --process; else made of the container's own and what follows
  std::vector<std::string> args;
  std::vector<std::string> env;           // added
  std::vector<std::string> capabilities;  // added
  std::optional<std::string> cwd;
  std::optional<User> user;
  std::vector<std::uint32_t> additional_gids;
  std::optional<bool> no_new_privileges;
  std::string apparmor_profile;
  std::string process_label;
  bool tty = false;
  bool detach = false;
  std::string pid_file;
  std::string console_socket;
  std::string cgroup;  // a group below the container's, "" for its own
  unsigned preserve_fds = 0;
};

struct KillRequest {
  std::string id;
  int signal_number = 15;
  bool all = false;
};

struct ContainerView {
  ContainerRecord record;
  ContainerStatus status{};
};

struct CheckpointRequest {
  std::string id;
  std::string image_path;
  std::string work_path;
  std::string parent_path;
  bool leave_running = false;
  bool tcp_established = false;
  bool ext_unix_sk = false;
  bool shell_job = false;
  bool file_locks = false;
  bool pre_dump = false;
  std::string manage_cgroups_mode;
};
struct RestoreRequest {
  RunRequest run;
  CheckpointRequest images;
};

using TakeEvent = std::function<Status(const std::string& document)>;

class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual Status create(const CreateRequest& request) = 0;
  virtual Status start(const std::string& id) = 0;
  // The program's shell code (ExitStatus::shell_code), 0 with detach.
  virtual Result<int> run(const RunRequest& request) = 0;
  virtual Result<int> exec(const ExecRequest& request) = 0;
  virtual Status kill(const KillRequest& request) = 0;
  enum class Force : std::uint8_t { kNo, kYes };
  // With kYes it succeeds whatever state the container is in, also when it does not exist.
  virtual Status remove(const std::string& id, Force force) = 0;

  virtual Result<ContainerView> state(const std::string& id) = 0;
  virtual Result<std::vector<ContainerView>> list() = 0;
  virtual Result<std::vector<int>> processes(const std::string& id) = 0;
  virtual Status pause(const std::string& id) = 0;
  virtual Status resume(const std::string& id) = 0;
  virtual Status update(const std::string& id, const Resources& resources) = 0;
  // One JSON document in runc's event format.
  virtual Result<std::string> statistics(const std::string& id) = 0;
  // Passes such documents to `take` at once, then every `interval`, and {"type":"oom"} whenever the kernel ended a
  // process for lack of memory; until the container stops or `take` fails.
  virtual Status watch(const std::string& id, std::chrono::milliseconds interval, const TakeEvent& take) = 0;
  virtual Result<std::string> features() = 0;
  virtual Status checkpoint(const CheckpointRequest& request) = 0;
  virtual Result<int> restore(const RestoreRequest& request) = 0;
};

}  // namespace skerry::oci
