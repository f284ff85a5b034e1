#include "drivers/qemu/boot_cache.h"

#include <fcntl.h>

#include <tuple>

#include "base/rollback.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/sha256.h"

namespace skerry::qemu {
namespace {

// Held until the descriptor is closed, whatever becomes of this process. Not the directory itself: whoever may read
// that, and all may, could hold its lock, and no machine would start.
Result<Fd> lock_directory(const std::string& directory) {
  Fd lock = TRY(sys::open(cat(directory, "/lock"), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  TRY(sys::flock(lock.get(), sys::LockMode::kExclusive, sys::LockWait::kWait));
  return lock;
}

}  // namespace

Result<std::string> BootCache::file(const std::string& name, const Make& make) {
  const std::lock_guard one_at_a_time(mutex_);
  TRY(sys::mkdir_all(directory_, 0755));
  const Fd lock = TRY(lock_directory(directory_));
  std::string path = cat(directory_, "/", name);
  if (TRY(files_.intact(path))) return path;
  // Of one who was killed, if it is there: nobody else makes it now.
  const std::string temporary = cat(path, ".tmp");
  Rollback undo;
  undo.add([&] { std::ignore = sys::unlink(temporary); });
  TRY(make(temporary));
  TRY(files_.keep(temporary, path));
  undo.commit();
  return path;
}

Result<Digest> InitramfsKeys::of(const InitramfsSpec& spec) {
  const auto version = [](const std::string& path) -> Result<std::string> {
    const auto info = TRY(sys::stat(path));
    return cat(path, " ", info.st_dev, " ", info.st_ino, " ", info.st_size, " ", info.st_mtim.tv_sec, " ",
               info.st_mtim.tv_nsec, " ", info.st_ctim.tv_sec, " ", info.st_ctim.tv_nsec, "\n");
  };
  std::string name = TRY(version(spec.agent));
  if (!spec.modules_dir.empty()) name += TRY(version(spec.modules_dir + "/modules.dep"));
  for (const auto& module : spec.modules) name += cat(module, " ");
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(name);
  if (found != keys_.end()) return found->second;
  return keys_.emplace(std::move(name), TRY(initramfs_key(spec))).first->second;
}

}  // namespace skerry::qemu
