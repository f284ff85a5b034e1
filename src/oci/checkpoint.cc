// LinuxRuntime::checkpoint: a running container to images on disk, by CRIU.
#include <fcntl.h>

#include "base/file_io.h"
#include "base/process.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "oci/checkpoint_images.h"
#include "oci/criu.h"
#include "oci/criu_options.h"
#include "oci/linux_runtime.h"

namespace skerry::oci {
namespace {

constexpr std::chrono::seconds kEndTimeout{10};
constexpr const char* kLog = "dump.log";

// CRIU can hold it still as a whole only on v2, or by the v1 freezer.
std::string freezer_of(const CgroupRecord& record) {
  const auto* directory = find_directory(record, "freezer");
  return directory == nullptr ? "" : directory->path;
}

Status check_parent(const CheckpointRequest& request, const std::string& images) {
  if (request.parent_path.empty()) return {};
  if (request.parent_path.starts_with('/')) {
    return fail(ErrorCode::kInvalidArgument, "--parent-path: must be relative to --image-path");
  }
  const std::string parent = cat(images, "/", request.parent_path);
  if (!sys::is_missing(parent)) return {};
  return fail(ErrorCode::kInvalidArgument, cat("--parent-path: there is no ", parent));
}

}  // namespace

Status LinuxRuntime::checkpoint(const CheckpointRequest& request) {
  const StateDir dir = TRY(store_.lock(request.id));
  const auto record = TRY(store_.load(request.id));
  const auto status = status_of(record);
  if (status != ContainerStatus::kRunning) {
    return fail(ErrorCode::kConflict,
                cat("cannot checkpoint a container that is ", status_name(status), ": \"", request.id, "\""));
  }
  const Spec spec = TRY(parse_spec(TRY(store_.load_spec(request.id))));
  const Fd process = TRY(open_same_process(record.pid, record.pid_start_time));
  const auto outside = TRY(look_outside(spec, record.pid));

  Rollback rollback;
  const ImageDirectories places = TRY(open_image_directories(request, dir, rollback));
  TRY(check_parent(request, places.images_path));
  CriuOptions options = TRY(criu_options(request, places, spec));
  options.log_file = kLog;
  options.root = record.rootfs;
  options.pid = record.pid;
  options.parent_images = request.parent_path;
  options.track_memory = request.pre_dump;
  options.leave_running = request.leave_running || request.pre_dump;
  options.freeze_cgroup = freezer_of(record.cgroup);
  TRY(name_outside(outside, spec, options));
  TRY(write_file_atomic(cat(places.images_path, "/", kCheckpointRecord), to_json(outside), 0600));

  Criu criu = TRY(Criu::start({}));
  const auto type = request.pre_dump ? CriuRequest::kPreDump : CriuRequest::kDump;
  const auto go_on = [](const CriuAnswer&, const Fd&) -> Status { return {}; };
  const auto answer = criu.request(type, options, cat(places.own_work_path, "/", kLog), go_on);
  keep_logs(places, kLog);
  if (!answer) return fail(answer.error());
  rollback.commit();
  if (options.leave_running || TRY(has_ended(process.get(), kEndTimeout))) return {};
  return fail(ErrorCode::kDeadlineExceeded, cat("process ", record.pid, " did not end after its checkpoint"));
}

}  // namespace skerry::oci
