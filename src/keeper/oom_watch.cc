#include "keeper/oom_watch.h"

#include <utility>

#include "base/cgroup_paths.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::keeper {
namespace {

std::optional<std::uint64_t> kill_count(const std::string& path) {
  if (path.empty()) return std::nullopt;
  const auto text = read_file(path, 4096);
  if (!text) return std::nullopt;
  for (const auto line : split(*text, '\n')) {
    if (!line.starts_with("oom_kill ")) continue;
    const auto count = parse_int<std::uint64_t>(line.substr(9), "oom_kill");
    if (count) return *count;
  }
  return std::nullopt;
}

}  // namespace

OomWatch::OomWatch(std::string path) : path_(std::move(path)), before_(kill_count(path_).value_or(0)) {}

OomWatch OomWatch::of_process(pid_t pid) {
  const auto directories = cgroup_directories_of(pid);
  return OomWatch(directories ? oom_count_file(*directories) : std::string());
}

std::optional<bool> OomWatch::struck() const {
  const auto now = kill_count(path_);
  if (!now) return std::nullopt;
  return *now > before_;
}

}  // namespace skerry::keeper
