#include "oci/linux_runtime.h"

#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "oci/console_socket.h"
#include "oci/container_list.h"
#include "oci/creation.h"
#include "oci/foreground.h"
#include "oci/hooks.h"
#include "oci/intel_rdt.h"
#include "oci/seccomp_listener.h"
#include "oci/status_message.h"

namespace skerry::oci {
namespace {

constexpr std::chrono::seconds kKillTimeout{10};

// What the container's first process says on the connection of `start`, a stream: kReady when it is on its way to the
// program, then perhaps the listener of its filter, behind that nothing when the program was executed.
class StartConversation {
 public:
  explicit StartConversation(int connection) : connection_(connection) {}

  // Until the end of the stream; `on_listener(fd)` hands a listener on.
  template <typename OnListener>
  Result<std::optional<StatusMessage>> read(OnListener on_listener) {
    bool ready = false;
    while (TRY(fill())) {
      const auto header = next_header();
      if (header.kind == StatusKind::kReady) {
        ready = true;
      } else if (header.kind == StatusKind::kListener) {
        TRY(on_listener(listener_));
        listener_.reset();
      } else {
        // The text of a failure is everything that comes behind its header.
        while (TRY(receive())) {
        }
        return StatusMessage{header, std::move(text_), {}};
      }
    }
    if (ready) return std::nullopt;
    return fail(ErrorCode::kConflict, "the container ended before its program was executed");
  }

 private:
  // Whether there is a whole header.
  Result<bool> fill() {
    while (text_.size() < sizeof(StatusHeader)) {
      if (!TRY(receive())) return false;
    }
    return true;
  }
  Result<bool> receive() {
    auto got = receive_with_fds(connection_, 4096);
    // A process that ends before it has read our byte resets the connection.
    if (!got && got.error().sys_errno == ECONNRESET) {
      return fail(ErrorCode::kConflict, "the container ended before it was started");
    }
    if (!got) return fail(std::move(std::move(got).error()).in("wait for the start"));
    if (!got->fds.empty()) listener_ = std::move(got->fds.front());
    text_ += got->data;
    return !got->data.empty();
  }
  StatusHeader next_header() {
    StatusHeader header;
    text_.copy(reinterpret_cast<char*>(&header), sizeof header);
    text_.erase(0, sizeof header);
    return header;
  }

  int connection_;
  std::string text_;
  Fd listener_;
};

std::unexpected<Error> wrong_status(const std::string& id, std::string_view verb, ContainerStatus status) {
  if (status == ContainerStatus::kStopped && verb == "kill") {
    // containerd and podman look for these words.
    return fail(ErrorCode::kConflict, cat("container not running: \"", id, "\" (no such process)"));
  }
  return fail(ErrorCode::kConflict,
              cat("cannot ", verb, " a container that is ", status_name(status), ": \"", id, "\""));
}

// Field 3 of /proc/PID/stat: a zombie has ended, nobody has reaped it yet.
bool is_zombie(pid_t pid) {
  const auto text = read_file(cat("/proc/", pid, "/stat"));
  if (!text) return true;
  const auto close = text->rfind(')');
  return close == std::string::npos || close + 2 >= text->size() || (*text)[close + 2] == 'Z' ||
         (*text)[close + 2] == 'X';
}

std::string program_of(const StateStore& store, const std::string& id) {
  const auto text = store.load_spec(id);
  if (!text) return "?";
  const auto spec = parse_spec(*text);
  return spec && spec->process ? spec->process->args.front() : "?";
}

// Of a configuration that cannot be read any more: none.
std::vector<Hook> poststop_hooks(const StateStore& store, const std::string& id) {
  const auto text = store.load_spec(id);
  if (!text || text->find("\"poststop\"") == std::string::npos) return {};
  const auto spec = parse_spec(*text);
  return spec ? spec->hooks.poststop : std::vector<Hook>{};
}

}  // namespace

bool is_alive(const ContainerRecord& record) {
  if (record.pid <= 0) return false;
  const auto started = process_start_time(record.pid);
  return started && *started == record.pid_start_time && !is_zombie(record.pid);
}

ContainerStatus LinuxRuntime::status_of(const ContainerRecord& record) const {
  if (record.pid == 0) return ContainerStatus::kCreating;
  if (!is_alive(record)) return ContainerStatus::kStopped;
  if (store_.waits_for_start(record.id)) return ContainerStatus::kCreated;
  return is_frozen(record.cgroup) ? ContainerStatus::kPaused : ContainerStatus::kRunning;
}

Status LinuxRuntime::create(const CreateRequest& request) {
  Creation creation(options_, store_, TRY(load_bundle(request)));
  Fd console = TRY(connect_console(creation.spec(), request.console_socket));
  TRY(creation.prepare(request, StartBy::kCommand, std::move(console)));
  return creation.commit();
}

Status LinuxRuntime::start(const std::string& id) {
  const StateDir dir = TRY(store_.lock(id));
  const auto record = TRY(store_.load(id));
  const auto status = status_of(record);
  if (status != ContainerStatus::kCreated) return wrong_status(id, "start", status);
  const Fd connection = TRY(unix_connect(dir.start_socket()));
  // Gone before the program runs: whoever asks from now on sees "running".
  TRY(sys::unlink(dir.start_socket()));
  if (::send(connection.get(), "g", 1, MSG_NOSIGNAL) < 0) return fail_errno("start the container");
  const auto answer =
      TRY(StartConversation(connection.get()).read([&](const Fd& listener) { return hand_over(record, listener); }));
  if (answer) return fail(failure_of(*answer, program_of(store_, id)));
  return run_poststart(record);
}

// A program whose calls wait for an agent that never comes is ended: nobody could tell why it hangs.
Status LinuxRuntime::hand_over(const ContainerRecord& record, const Fd& listener) {
  const auto spec = TRY(parse_spec(TRY(store_.load_spec(record.id))));
  const auto& seccomp = spec.linux_part.seccomp;
  auto done =
      hand_over_listener({seccomp ? &*seccomp : nullptr, &record, ContainerStatus::kCreated, record.pid}, listener);
  if (!done) (void)end_processes(record);
  return done;
}

Status LinuxRuntime::run_poststart(const ContainerRecord& record) {
  const auto text = TRY(store_.load_spec(record.id));
  // Parsing costs more than the whole start; a configuration without the word has no such hook.
  if (text.find("\"poststart\"") == std::string::npos) return {};
  run_poststart(record, TRY(parse_spec(text)).hooks);
  return {};
}

void LinuxRuntime::run_poststart(const ContainerRecord& record, const Hooks& hooks) {
  if (hooks.poststart.empty()) return;
  const auto warnings = run_all_hooks(hooks.poststart, "poststart", state_document(record, ContainerStatus::kRunning));
  for (const auto& warning : warnings) options_.warn(warning);
}

Result<int> LinuxRuntime::run(const RunRequest& request) {
  const ForegroundSignals signals;
  Creation creation(options_, store_, TRY(load_bundle(request.create)));
  auto console = TRY(open_run_console(creation.spec(), request.create.console_socket, request.detach));
  TRY(creation.prepare(request.create, StartBy::kCaller, std::move(console.container_end)));
  TRY(creation.go());
  TRY(creation.commit());
  run_poststart(creation.record(), creation.spec().hooks);
  if (request.detach) return 0;
  const int code = TRY(wait_in_foreground(creation.launched(), signals, std::move(console.runtime_end)));
  if (!request.keep) TRY(remove_after_run(creation.record(), creation.spec().hooks));
  return code;
}

Status LinuxRuntime::remove_after_run(const ContainerRecord& record, const Hooks& hooks) {
  const auto dir = store_.lock(record.id);
  // Somebody deleted it meanwhile.
  if (!dir && dir.error().code == ErrorCode::kNotFound) return {};
  if (!dir) return fail(dir.error());
  return remove_locked(*dir, record, &hooks);
}

Status LinuxRuntime::kill(const KillRequest& request) {
  const auto record = TRY(store_.load(request.id));
  const auto status = status_of(record);
  if (request.all) {
    // Also of a stopped container: what is left of it in the group.
    return signal_cgroup(record.cgroup, request.signal_number);
  }
  if (status == ContainerStatus::kStopped || status == ContainerStatus::kCreating) {
    return wrong_status(request.id, "kill", status);
  }
  const Fd pidfd = TRY(open_pidfd(record.pid));
  // Between reading the record and opening the pidfd the pid may have become somebody else's.
  if (!is_alive(record)) return wrong_status(request.id, "kill", ContainerStatus::kStopped);
  TRY(send_signal(pidfd.get(), request.signal_number));
  // A frozen process only dies when it is thawed.
  if (request.signal_number == SIGKILL && status == ContainerStatus::kPaused) {
    return freeze_cgroup(record.cgroup, Freeze::kThaw);
  }
  return {};
}

Status LinuxRuntime::remove_locked(const StateDir& dir, const ContainerRecord& record, const Hooks* known) {
  TRY(remove_cgroup(record.cgroup));
  TRY(remove_intel_rdt(record.intel_rdt_group));
  const auto poststop = known != nullptr ? known->poststop : poststop_hooks(store_, record.id);
  if (!poststop.empty()) {
    const auto state = state_document(record, ContainerStatus::kStopped);
    for (const auto& warning : run_all_hooks(poststop, "poststop", state)) options_.warn(warning);
  }
  return dir.remove();
}

// Ends what the record names, and whatever is in its groups.
Status LinuxRuntime::end_processes(const ContainerRecord& record) {
  if (is_alive(record)) {
    if (const auto pidfd = open_pidfd(record.pid); pidfd && is_alive(record)) {
      TRY(send_signal(pidfd->get(), SIGKILL));
      if (is_frozen(record.cgroup)) TRY(freeze_cgroup(record.cgroup, Freeze::kThaw));
      if (!TRY(has_ended(pidfd->get(), kKillTimeout))) {
        return fail(ErrorCode::kDeadlineExceeded, cat("process ", record.pid, " does not end after SIGKILL"));
      }
    }
  }
  return signal_cgroup(record.cgroup, SIGKILL);
}

// A creation or a start that hangs (in a hook, say) holds the lock: ending the container's process ends its waiting.
Status LinuxRuntime::unblock(const std::string& id) {
  const auto dir = store_.try_lock(id);
  if (dir || dir.error().code != ErrorCode::kConflict) return {};
  return end_processes(TRY(store_.load_born(id)));
}

Status LinuxRuntime::remove(const std::string& id, Force force) {
  if (force == Force::kYes) TRY(unblock(id));
  const auto dir = store_.lock(id);
  if (!dir) {
    if (force == Force::kYes && dir.error().code == ErrorCode::kNotFound) return {};
    return fail(dir.error());
  }
  const auto record = TRY(store_.load_born(id));
  const auto status = status_of(record);
  // "creating" under our lock: its creator is dead.
  const bool ended = status == ContainerStatus::kStopped || status == ContainerStatus::kCreating;
  if (!ended && force == Force::kNo) return wrong_status(id, "delete", status);
  if (!ended || force == Force::kYes) TRY(end_processes(record));
  return remove_locked(*dir, record);
}

Result<ContainerView> LinuxRuntime::state(const std::string& id) {
  ContainerView view{TRY(store_.load(id)), {}};
  view.status = status_of(view.record);
  return view;
}

Result<std::vector<ContainerView>> LinuxRuntime::list() { return list_containers(*this, store_, options_); }

Result<std::vector<int>> LinuxRuntime::processes(const std::string& id) {
  const auto record = TRY(store_.load(id));
  if (record.cgroup.directories.empty()) {
    return fail(ErrorCode::kUnsupported, "the container has no cgroup to list its processes from");
  }
  return cgroup_pids(record.cgroup);
}

Status LinuxRuntime::pause(const std::string& id) {
  const StateDir dir = TRY(store_.lock(id));
  const auto record = TRY(store_.load(id));
  const auto status = status_of(record);
  if (status != ContainerStatus::kRunning && status != ContainerStatus::kCreated)
    return wrong_status(id, "pause", status);
  return freeze_cgroup(record.cgroup, Freeze::kFreeze);
}

Status LinuxRuntime::resume(const std::string& id) {
  const StateDir dir = TRY(store_.lock(id));
  const auto record = TRY(store_.load(id));
  const auto status = status_of(record);
  if (!is_frozen(record.cgroup)) return wrong_status(id, "resume", status);
  return freeze_cgroup(record.cgroup, Freeze::kThaw);
}

Status LinuxRuntime::update(const std::string& id, const Resources& resources) {
  const StateDir dir = TRY(store_.lock(id));
  const auto record = TRY(store_.load(id));
  const auto status = status_of(record);
  if (status == ContainerStatus::kStopped || status == ContainerStatus::kCreating) {
    return wrong_status(id, "update", status);
  }
  return update_cgroup(record.cgroup, resources);
}

}  // namespace skerry::oci
