#include "oci/state_store.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <ranges>

#include "base/file_io.h"
#include "base/mount_table.h"
#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"
#include "oci/container_id.h"
#include "wire/oci_spec.h"

namespace skerry::oci {
namespace {

constexpr std::string_view kRecordName = "/state.json";
constexpr std::string_view kBornName = "/born.json";
constexpr std::string_view kSpecName = "/config.json";

std::unexpected<Error> not_there(const std::string& id) {
  return fail(ErrorCode::kNotFound, cat("container \"", id, "\" does not exist"));
}

Result<StateDir> open_locked(const std::string& path, sys::LockWait wait) {
  Fd lock = TRY(sys::open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  TRY(sys::flock(lock.get(), sys::LockMode::kExclusive, wait));
  return StateDir(path, std::move(lock));
}

}  // namespace

std::string StateDir::spec_file() const { return path_ + std::string(kSpecName); }

Status StateDir::save(const ContainerRecord& record) const {
  return write_file_atomic(path_ + std::string(kRecordName), to_json(record), 0600);
}

Status StateDir::save_born(const ContainerRecord& record) const {
  return write_file_atomic(path_ + std::string(kBornName), to_json(record), 0600);
}

Status StateDir::publish_born() const {
  return sys::rename(path_ + std::string(kBornName), path_ + std::string(kRecordName));
}

Status StateDir::save_spec(std::string_view json) const {
  const Fd file = TRY(sys::open(spec_file(), O_WRONLY | O_CREAT | O_EXCL, 0600));
  return sys::write_all(file.get(), json);
}

Status StateDir::remove() const {
  // The names it usually has; whatever else there is takes the walk.
  for (const auto name : {kRecordName, kSpecName}) (void)sys::unlink(path_ + std::string(name));
  const auto gone = sys::rmdir(path_);
  if (gone || gone.error().sys_errno == ENOENT) return {};
  // Of a restore that was killed: the root it mounted, what CRIU mounted. The last one lies on top.
  const auto mounts = read_mount_table(::getpid());
  // By its real name: ours may lead through links.
  const std::string below = sys::readlink(cat("/proc/self/fd/", lock_.get())).value_or(path_) + "/";
  for (const auto& entry : std::ranges::reverse_view(mounts.value_or(std::vector<MountEntry>{}))) {
    if (entry.mount_point.starts_with(below)) (void)sys::umount(entry.mount_point, MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  return sys::remove_tree(path_);
}

Result<StateDir> StateStore::claim(const std::string& id) const {
  TRY(check_container_id(id));
  const std::string path = directory(id);
  auto made = sys::mkdir(path, 0700);
  if (!made && made.error().sys_errno == ENOENT) {
    TRY_IN("make the state directory", sys::mkdir_all(root_, 0700));
    made = sys::mkdir(path, 0700);
  }
  if (!made && made.error().sys_errno == EEXIST) {
    return fail(ErrorCode::kAlreadyExists, cat("container with id \"", id, "\" already exists"));
  }
  TRY(made);
  Rollback rollback;
  rollback.add([&] { (void)sys::rmdir(path); });
  auto claimed = TRY(open_locked(path, sys::LockWait::kWait));
  rollback.commit();
  return claimed;
}

Result<StateDir> StateStore::lock(const std::string& id) const { return lock_existing(id, true); }
Result<StateDir> StateStore::try_lock(const std::string& id) const { return lock_existing(id, false); }

Result<StateDir> StateStore::lock_existing(const std::string& id, bool wait) const {
  TRY(check_container_id(id));
  auto opened = open_locked(directory(id), wait ? sys::LockWait::kWait : sys::LockWait::kTry);
  if (!opened && opened.error().sys_errno == ENOENT) return not_there(id);
  // Whoever held the lock may have removed the directory meanwhile.
  if (opened && sys::is_missing(directory(id))) return not_there(id);
  return opened;
}

Result<ContainerRecord> StateStore::load(const std::string& id) const {
  TRY(check_container_id(id));
  auto text = read_file(directory(id) + std::string(kRecordName));
  if (!text) {
    if (text.error().sys_errno != ENOENT) return fail(std::move(text).error());
    if (sys::is_missing(directory(id))) return not_there(id);
    // Its creator was stopped between mkdir and the first save: nothing else was made yet.
    ContainerRecord empty;
    empty.id = id;
    empty.oci_version = kSpecVersion;
    return empty;
  }
  return annotate(parse_record(*text), cat("state of container ", id));
}

Result<ContainerRecord> StateStore::load_born(const std::string& id) const {
  TRY(check_container_id(id));
  const auto text = read_file(directory(id) + std::string(kBornName));
  if (!text) return load(id);
  return annotate(parse_record(*text), cat("state of container ", id));
}

Result<std::string> StateStore::load_spec(const std::string& id) const {
  return read_file(directory(id) + std::string(kSpecName), kMaxConfigBytes);
}

bool StateStore::waits_for_start(const std::string& id) const { return sys::exists(directory(id) + "/start.sock"); }

Result<std::vector<std::string>> StateStore::ids() const {
  std::vector<std::string> out;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(root_.c_str()), ::closedir);
  if (!dir) {
    if (errno == ENOENT) return out;
    return fail_errno(cat("open ", root_));
  }
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (check_container_id(name)) out.push_back(name);
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace skerry::oci
