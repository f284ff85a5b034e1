#include "oci/criu_options.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

struct ModeName {
  std::string_view name;
  CriuCgroupMode mode;
};
constexpr std::array kModes = {ModeName{"", CriuCgroupMode::kSoft}, ModeName{"soft", CriuCgroupMode::kSoft},
                               ModeName{"full", CriuCgroupMode::kFull}, ModeName{"strict", CriuCgroupMode::kStrict},
                               ModeName{"ignore", CriuCgroupMode::kIgnore}};

Result<Fd> open_directory(const std::string& path, Rollback& rollback) {
  if (sys::is_missing(path)) {
    TRY(sys::mkdir_all(path, 0700));
    rollback.add([path] {
      (void)sys::unlink(cat(path, "/", kCheckpointRecord));
      (void)sys::rmdir(path);
    });
  }
  return sys::open(path, O_RDONLY | O_DIRECTORY);
}

}  // namespace

Result<ImageDirectories> open_image_directories(const CheckpointRequest& request, const StateDir& dir,
                                                Rollback& rollback) {
  ImageDirectories out;
  out.images_path = request.image_path.empty() ? "checkpoint" : request.image_path;
  out.work_path = request.work_path.empty() ? out.images_path : request.work_path;
  out.images = TRY_IN("--image-path", open_directory(out.images_path, rollback));
  TRY_IN("--work-path", open_directory(out.work_path, rollback));
  out.own_work_path = dir.path() + "/criu";
  // Of an earlier one that was killed.
  TRY(sys::remove_tree(out.own_work_path));
  out.work = TRY(open_directory(out.own_work_path, rollback));
  return out;
}

void keep_logs(const ImageDirectories& places, const std::string& log) {
  const auto names = sys::list_directory(places.own_work_path);
  for (const auto& name : names.value_or(std::vector<std::string>{})) {
    if (name != log && !name.starts_with("stats-")) continue;
    const auto text = read_file(cat(places.own_work_path, "/", name));
    if (text) (void)write_file_atomic(cat(places.work_path, "/", name), *text, 0600);
  }
  (void)sys::remove_tree(places.own_work_path);
}

Result<CriuOptions> criu_options(const CheckpointRequest& request, const ImageDirectories& places, const Spec& spec) {
  const auto* mode = std::ranges::find(kModes, request.manage_cgroups_mode, &ModeName::name);
  if (mode == kModes.end()) {
    return fail(ErrorCode::kInvalidArgument, cat("--manage-cgroups-mode: \"", request.manage_cgroups_mode.substr(0, 64),
                                                 "\" is not soft, full, strict or ignore"));
  }
  CriuOptions out;
  out.images_fd = places.images.get();
  out.work_fd = places.work.get();
  out.cgroup_mode = mode->mode;
  out.tcp_established = request.tcp_established;
  out.ext_unix_sk = request.ext_unix_sk;
  out.shell_job = request.shell_job;
  out.file_locks = request.file_locks;
  if (const auto config = spec.annotations.find("org.criu.config"); config != spec.annotations.end()) {
    out.config_file = config->second;
  }
  return out;
}

}  // namespace skerry::oci
