// pause, resume, update, checkpoint, restore.
#include <unistd.h>

#include <array>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/cli_commands.h"

namespace skerry::oci {
namespace {

constexpr auto kFlag = Option::Kind::kFlag;
constexpr auto kValue = Option::Kind::kValue;

Result<int> pause(Runtime& runtime, const Arguments& arguments) {
  TRY(runtime.pause(TRY(only_id(arguments))));
  return 0;
}

Result<int> resume(Runtime& runtime, const Arguments& arguments) {
  TRY(runtime.resume(TRY(only_id(arguments))));
  return 0;
}

constexpr std::array kUpdateOptions = {
    Option{"resources", 'r', kValue, "JSON file with the resources, - for standard input"},
    Option{"memory", 0, kValue, "bytes"},
    Option{"memory-reservation", 0, kValue, "bytes"},
    Option{"memory-swap", 0, kValue, "memory + swap in bytes, -1: unlimited"},
    Option{"cpu-period", 0, kValue, "microseconds"},
    Option{"cpu-quota", 0, kValue, "microseconds"},
    Option{"cpu-burst", 0, kValue, "microseconds"},
    Option{"cpu-share", 0, kValue, "relative weight"},
    Option{"cpu-shares", 0, kValue, "same as --cpu-share"},
    Option{"cpu-rt-period", 0, kValue, "microseconds"},
    Option{"cpu-rt-runtime", 0, kValue, "microseconds"},
    Option{"cpu-idle", 0, kValue, "1: only when nobody else wants to run"},
    Option{"cpuset-cpus", 0, kValue, "CPU list"},
    Option{"cpuset-mems", 0, kValue, "memory node list"},
    Option{"blkio-weight", 0, kValue, "10 to 1000"},
    Option{"pids-limit", 0, kValue, "number of processes, -1: unlimited"},
};

Result<std::string> read_resources(const std::string& name) {
  if (name == "-") return sys::read_to_end(STDIN_FILENO, kMaxConfigBytes);
  return read_file(name, kMaxConfigBytes);
}

template <typename T>
Status set_number(const Arguments& arguments, std::string_view name, std::optional<T>& out) {
  if (arguments.given(name)) out = TRY(arguments.number<T>(name, T{}));
  return {};
}

Status add_memory(const Arguments& arguments, Resources& out) {
  MemoryLimits memory = out.memory.value_or(MemoryLimits{});
  TRY(set_number(arguments, "memory", memory.limit));
  TRY(set_number(arguments, "memory-reservation", memory.reservation));
  TRY(set_number(arguments, "memory-swap", memory.swap));
  if (memory.limit || memory.reservation || memory.swap) out.memory = memory;
  return {};
}

Status add_cpu(const Arguments& arguments, Resources& out) {
  CpuLimits cpu = out.cpu.value_or(CpuLimits{});
  TRY(set_number(arguments, "cpu-period", cpu.period_us));
  TRY(set_number(arguments, "cpu-quota", cpu.quota_us));
  TRY(set_number(arguments, "cpu-burst", cpu.burst_us));
  TRY(set_number(arguments, "cpu-share", cpu.shares));
  TRY(set_number(arguments, "cpu-shares", cpu.shares));
  TRY(set_number(arguments, "cpu-rt-period", cpu.realtime_period_us));
  TRY(set_number(arguments, "cpu-rt-runtime", cpu.realtime_runtime_us));
  TRY(set_number(arguments, "cpu-idle", cpu.idle));
  if (arguments.given("cpuset-cpus")) cpu.cpus = arguments.value("cpuset-cpus");
  if (arguments.given("cpuset-mems")) cpu.mems = arguments.value("cpuset-mems");
  out.cpu = cpu;
  return {};
}

Result<int> update(Runtime& runtime, const Arguments& arguments) {
  const std::string id = TRY(only_id(arguments));
  Resources resources;
  if (arguments.given("resources")) {
    resources = TRY_IN("--resources", parse_resources(TRY(read_resources(arguments.value("resources")))));
  }
  TRY(add_memory(arguments, resources));
  TRY(add_cpu(arguments, resources));
  TRY(set_number(arguments, "pids-limit", resources.pids_limit));
  if (arguments.given("blkio-weight")) {
    BlockIoLimits block = resources.block_io.value_or(BlockIoLimits{});
    TRY(set_number(arguments, "blkio-weight", block.weight));
    resources.block_io = block;
  }
  TRY(runtime.update(id, resources));
  return 0;
}

// Of both: where the images are, and what they may hold.
constexpr std::array kImageOptions = {
    Option{"image-path", 0, kValue, "directory for the images"},
    Option{"work-path", 0, kValue, "directory for logs"},
    Option{"tcp-established", 0, kFlag, "allow open TCP connections"},
    Option{"ext-unix-sk", 0, kFlag, "allow external unix sockets"},
    Option{"shell-job", 0, kFlag, "allow a terminal from outside"},
    Option{"file-locks", 0, kFlag, "handle file locks"},
    Option{"manage-cgroups-mode", 0, kValue, "soft (default), full, strict or ignore"},
};
constexpr auto kCheckpointOptions =
    join_options(kImageOptions, std::array{Option{"parent-path", 0, kValue, "images of an earlier pre-dump"},
                                           Option{"leave-running", 0, kFlag, "do not end the container"},
                                           Option{"pre-dump", 0, kFlag, "memory only, the container goes on"}});
constexpr auto kRestoreOptions = join_options(
    kImageOptions, std::array{Option{"bundle", 'b', kValue, "directory of the bundle"},
                              Option{"pid-file", 0, kValue, "file that gets the pid"},
                              Option{"console-socket", 0, kValue, "unix socket that gets the terminal's master end"},
                              Option{"detach", 'd', kFlag, "do not wait for its end"}});

CheckpointRequest checkpoint_request(const Arguments& arguments, std::string id) {
  CheckpointRequest request;
  request.id = std::move(id);
  request.image_path = arguments.value("image-path");
  request.work_path = arguments.value("work-path");
  request.parent_path = arguments.value("parent-path");
  request.leave_running = arguments.flag("leave-running");
  request.tcp_established = arguments.flag("tcp-established");
  request.ext_unix_sk = arguments.flag("ext-unix-sk");
  request.shell_job = arguments.flag("shell-job");
  request.file_locks = arguments.flag("file-locks");
  request.pre_dump = arguments.flag("pre-dump");
  request.manage_cgroups_mode = arguments.value("manage-cgroups-mode");
  return request;
}

Result<int> checkpoint(Runtime& runtime, const Arguments& arguments) {
  TRY(runtime.checkpoint(checkpoint_request(arguments, TRY(only_id(arguments)))));
  return 0;
}

Result<int> restore(Runtime& runtime, const Arguments& arguments) {
  RestoreRequest request;
  request.images = checkpoint_request(arguments, TRY(only_id(arguments)));
  request.run.create.id = request.images.id;
  if (arguments.given("bundle")) request.run.create.bundle = arguments.value("bundle");
  request.run.create.pid_file = arguments.value("pid-file");
  request.run.create.console_socket = arguments.value("console-socket");
  request.run.detach = arguments.flag("detach");
  return runtime.restore(request);
}

constexpr std::array kCommands = {
    Command{"pause", "ID", "freeze all processes of a container", {}, pause},
    Command{"resume", "ID", "let them go on", {}, resume},
    Command{"update", "ID", "change the limits of a container", kUpdateOptions, update},
    Command{"checkpoint", "ID", "write a running container to disk", kCheckpointOptions, checkpoint},
    Command{"restore", "ID", "bring it back", kRestoreOptions, restore},
};

}  // namespace

std::span<const Command> management_commands() { return kCommands; }

}  // namespace skerry::oci
