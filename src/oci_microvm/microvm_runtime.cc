#include "oci_microvm/microvm_runtime.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/clock.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/creation.h"
#include "oci/exec_process.h"
#include "oci/hooks.h"
#include "oci_microvm/stdio_relay.h"
#include "oci_microvm/supervisor.h"

namespace skerry::oci_microvm {
namespace {

using oci::ContainerRecord;
using oci::ContainerStatus;

// A jail's id has a suffix behind the container's.
constexpr std::size_t kLongestId = 240;

std::unexpected<Error> wrong_status(const std::string& id, std::string_view verb, ContainerStatus status) {
  if (status == ContainerStatus::kStopped && verb == "kill") {
    // containerd and podman look for these words.
    return fail(ErrorCode::kConflict, cat("container not running: \"", id, "\" (no such process)"));
  }
  return fail(ErrorCode::kConflict,
              cat("cannot ", verb, " a container that is ", status_name(status), ": \"", id, "\""));
}

std::unexpected<Error> not_with_microvms(std::string_view what) {
  return fail(ErrorCode::kUnsupported, cat(what, ": not with a microVM"));
}

Status check_request(const oci::CreateRequest& request, const oci::Spec& spec, bool detached) {
  if (::geteuid() != 0) return fail(ErrorCode::kPermissionDenied, "microVMs need root");
  if (request.id.size() > kLongestId) return fail(ErrorCode::kInvalidArgument, "the container id is too long");
  if (request.preserve_fds > 0) return not_with_microvms("--preserve-fds");
  if (request.root_fd >= 0) return not_with_microvms("--root-fd");
  const bool terminal = spec.process && spec.process->terminal;
  if (terminal && detached && request.console_socket.empty()) {
    return fail(ErrorCode::kInvalidArgument, "a terminal needs --console-socket");
  }
  if (!terminal && !request.console_socket.empty()) {
    return fail(ErrorCode::kInvalidArgument, "--console-socket: /process/terminal is false");
  }
  return {};
}

ContainerRecord record_of(const std::string& id, const oci::Bundle& bundle) {
  ContainerRecord record;
  record.id = id;
  record.oci_version = bundle.spec.oci_version;
  record.bundle = bundle.path;
  record.rootfs = bundle.rootfs;
  record.created = to_rfc3339(SystemClock().now());
  record.owner_uid = ::geteuid();
  record.annotations = bundle.spec.annotations;
  record.cgroup.manager = "disabled";  // the jail's groups are the jail's business
  return record;
}

Result<oci::Spec> load_spec(const oci::StateStore& store, const std::string& id) {
  return oci::parse_spec(TRY(store.load_spec(id)));
}

}  // namespace

ContainerStatus MicrovmRuntime::status_of(const ContainerRecord& record) const {
  if (record.pid == 0) return ContainerStatus::kCreating;
  if (!oci::is_alive(record)) return ContainerStatus::kStopped;
  const auto observed = jail().observe(place(record.id));
  if (observed && observed->phase == Phase::kPaused) return ContainerStatus::kPaused;
  return sys::exists(started_file(record.id)) ? ContainerStatus::kRunning : ContainerStatus::kCreated;
}

Result<ContainerRecord> MicrovmRuntime::require(const std::string& id, std::string_view doing,
                                                std::initializer_list<ContainerStatus> allowed) const {
  auto record = TRY(store_.load(id));
  const auto status = status_of(record);
  if (std::ranges::find(allowed, status) == allowed.end()) return wrong_status(id, doing, status);
  return record;
}

// ── begin ──

Result<MicrovmRuntime::Created> MicrovmRuntime::make(const oci::CreateRequest& request, Stdio stdio) {
  const auto bundle = TRY(oci::load_bundle(request));
  const bool detached = stdio == Stdio::kSupervised;
  TRY(check_request(request, bundle.spec, detached));
  const auto guest = TRY(guest_of_spec(bundle.spec, bundle.rootfs));
  Created made{record_of(request.id, bundle), bundle.spec, {}, {}};
  auto& record = made.record;
  Jail own = jail(guest.control_group);
  const auto vm = place(request.id);
  const auto dir = TRY(store_.claim(request.id));
  Rollback undo;
  undo.add([&] { static_cast<void>(dir.remove()); });
  TRY(dir.save(record));
  TRY(dir.save_spec(bundle.text));
  undo.add([&] {
    if (auto removed = remove_microvm(own, vm); !removed) options_.warn(cat("undo: ", removed.error().message()));
  });
  auto conversation = TRY(boot_microvm(own, programs_, vm, guest));
  const auto surroundings = surroundings_of(bundle.spec, bundle.rootfs);
  if (detached) {
    const auto& process = *bundle.spec.process;
    auto child = TRY(
        spawn_supervisor(conversation, process.terminal, process.console_size, request.console_socket, surroundings));
    record.pid = child.pid();
  } else {
    made.stdio = std::move(conversation);
    made.holder = TRY(spawn_holder(surroundings));
    record.pid = made.holder->child.pid();
  }
  undo.add([supervisor = record.pid] { ::kill(supervisor, SIGKILL); });
  record.pid_start_time = TRY(process_start_time(record.pid));
  TRY(dir.save(record));
  const auto state = state_document(record, ContainerStatus::kCreated);
  TRY(oci::run_hooks(bundle.spec.hooks.prestart, "prestart", state));
  TRY(oci::run_hooks(bundle.spec.hooks.create_runtime, "createRuntime", state));
  if (!request.pid_file.empty()) TRY(oci::write_pid_file(request.pid_file, record.pid));
  undo.commit();
  return made;
}

Status MicrovmRuntime::create(const oci::CreateRequest& request) {
  TRY(make(request, Stdio::kSupervised));
  return {};
}

Status MicrovmRuntime::start(const std::string& id) {
  const auto dir = TRY(store_.lock(id));
  const auto record = TRY(require(id, "start", {ContainerStatus::kCreated}));
  TRY(write_file_atomic(started_file(id), "", 0600));
  TRY(start_workload(place(id)));
  const auto spec = TRY(load_spec(store_, id));
  const auto state = state_document(record, ContainerStatus::kRunning);
  for (const auto& warning : oci::run_all_hooks(spec.hooks.poststart, "poststart", state)) options_.warn(warning);
  return {};
}

Result<int> MicrovmRuntime::run(const oci::RunRequest& request) {
  if (request.detach) {
    TRY(make(request.create, Stdio::kSupervised));
    TRY(start(request.create.id));
    return 0;
  }
  const PassedSignals signals;
  const auto& id = request.create.id;
  const bool console = !request.create.console_socket.empty();
  if (console) return fail(ErrorCode::kInvalidArgument, "--console-socket: with run only with --detach");
  const auto made = TRY(make(request.create, Stdio::kOurs));
  const auto finish = [&]() -> Status {
    if (request.keep) return {};
    const auto dir = TRY(store_.lock(id));
    return remove_all(dir, made.record);
  };
  if (auto started = start(id); !started) {
    static_cast<void>(finish());
    return fail(std::move(started).error());
  }
  const bool terminal = made.spec.process->terminal;
  const int code = TRY(relay_stdio(made.stdio, terminal ? Terminal::kYes : Terminal::kNo, signals));
  TRY(finish());
  return code;
}

Result<int> MicrovmRuntime::exec(const oci::ExecRequest& request) {
  const PassedSignals signals;
  TRY(require(request.id, "exec in", {ContainerStatus::kRunning, ContainerStatus::kCreated}));
  if (request.preserve_fds > 0) return not_with_microvms("--preserve-fds");
  if (!request.cgroup.empty()) return not_with_microvms("--cgroup");
  const auto spec = TRY(load_spec(store_, request.id));
  const auto process = TRY(oci::exec_process(request, spec));
  if (process.terminal && request.detach && request.console_socket.empty()) {
    return fail(ErrorCode::kInvalidArgument, "a terminal needs --console-socket");
  }
  auto guest = TRY(guest_process(process));
  const bool supervised = request.detach || !request.console_socket.empty();
  const auto conversation = TRY(exec_in_microvm(place(request.id), std::move(guest)));
  if (!supervised) {
    if (!request.pid_file.empty()) TRY(oci::write_pid_file(request.pid_file, ::getpid()));
    return relay_stdio(conversation, process.terminal ? Terminal::kYes : Terminal::kNo, signals);
  }
  const auto record = TRY(store_.load(request.id));
  auto child = TRY(spawn_supervisor(conversation, process.terminal, process.console_size, request.console_socket,
                                    surroundings_of(spec, record.rootfs)));
  if (!request.pid_file.empty()) TRY(oci::write_pid_file(request.pid_file, child.pid()));
  if (request.detach) return 0;
  return TRY(child.wait()).shell_code();
}

// ── steer ──

Status MicrovmRuntime::kill(const oci::KillRequest& request) {
  using enum ContainerStatus;
  const auto vm = place(request.id);
  if (request.signal_number == SIGKILL) {
    // The supervisor may be gone, or believe what its guest told it: what counts is the machine.
    TRY(store_.load(request.id));
    const auto observed = TRY(jail().observe(vm));
    if (observed.phase == Phase::kRunning || observed.phase == Phase::kPaused) return jail().kill(vm);
  }
  const auto record = TRY(require(request.id, "kill", {kCreated, kRunning, kPaused}));
  // A workload that has not begun has nothing to end it by but the machine; so has one whose guest hangs.
  const bool begun = status_of(record) != kCreated;
  if (request.signal_number == SIGKILL || (!begun && request.signal_number == SIGTERM)) return jail().kill(vm);
  if (!begun) return {};
  return signal_workload(vm, request.signal_number);
}

Status MicrovmRuntime::pause(const std::string& id) {
  TRY(require(id, "pause", {ContainerStatus::kRunning, ContainerStatus::kCreated}));
  return jail().freeze(place(id));
}

Status MicrovmRuntime::resume(const std::string& id) {
  TRY(require(id, "resume", {ContainerStatus::kPaused}));
  return jail().thaw(place(id));
}

Status MicrovmRuntime::update(const std::string& id, const oci::Resources& /*resources*/) {
  TRY(store_.load(id));
  return fail(ErrorCode::kUnsupported, "the size of a running microVM is fixed", "make it anew");
}

// ── end ──

Status MicrovmRuntime::remove_all(const oci::StateDir& dir, const ContainerRecord& record) {
  TRY(remove_microvm(jail(), place(record.id)));
  if (const auto spec = load_spec(store_, record.id)) {
    const auto state = state_document(record, ContainerStatus::kStopped);
    for (const auto& warning : oci::run_all_hooks(spec->hooks.poststop, "poststop", state)) options_.warn(warning);
  }
  static_cast<void>(sys::unlink(started_file(record.id)));
  return dir.remove();
}

Status MicrovmRuntime::remove(const std::string& id, Force force) {
  const auto dir = store_.lock(id);
  if (!dir) {
    if (force == Force::kYes && dir.error().code == ErrorCode::kNotFound) return {};
    return fail(dir.error());
  }
  auto record = store_.load(id);
  // Killed between the claim and the first record: there is only the name.
  if (!record && force == Force::kYes) {
    record.emplace();
    record->id = id;
  }
  if (!record) return fail(record.error());
  const auto status = status_of(*record);
  const bool ended = status == ContainerStatus::kStopped || status == ContainerStatus::kCreating;
  if (!ended && force == Force::kNo) return wrong_status(id, "delete", status);
  TRY(remove_all(*dir, *record));
  // With the machine gone the supervisor ends by itself; one that is stuck on a reader does not.
  if (!ended && oci::is_alive(*record)) {
    if (const auto pidfd = open_same_process(record->pid, record->pid_start_time)) {
      if (!has_ended(pidfd->get(), std::chrono::seconds(1)).value_or(false)) TRY(send_signal(pidfd->get(), SIGKILL));
    }
  }
  return {};
}

}  // namespace skerry::oci_microvm
