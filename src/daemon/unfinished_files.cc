#include "daemon/unfinished_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

bool is_unfinished(std::string_view name) {
  constexpr std::string_view kMark = ".tmp";
  constexpr std::size_t kRandom = 6;  // mkostemp(3)
  if (name.ends_with(kMark)) return name.size() > kMark.size();
  if (name.size() <= kMark.size() + 1 + kRandom) return false;
  const std::string_view end = name.substr(name.size() - kMark.size() - 1 - kRandom);
  return end.starts_with(kMark) && end[kMark.size()] == '.';
}

Status clean(const std::string& directory) {
  if (!sys::exists(directory)) return {};
  for (const auto& name : TRY(sys::list_directory(directory))) {
    if (!is_unfinished(name)) continue;
    const std::string path = cat(directory, "/", name);
    if (!S_ISREG(TRY(sys::lstat(path)).st_mode)) continue;
    log::info("removing a file that was never finished", {{"path", path}});
    TRY(sys::unlink(path));
  }
  return {};
}

}  // namespace

Status remove_unfinished_files(const std::string& state_dir) {
  for (const auto* store : {"", "/images", "/kernels", "/boot"}) TRY(clean(cat(state_dir, store)));
  const std::string environments = cat(state_dir, "/environments");
  if (!sys::exists(environments)) return {};
  for (const auto& id : TRY(sys::list_directory(environments))) TRY(clean(cat(environments, "/", id)));
  return {};
}

}  // namespace skerry
