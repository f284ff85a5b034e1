// The mounts that a process sees (proc(5), /proc/PID/mountinfo).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skerry {

struct MountEntry {
  int id = 0;
  std::string root;         // what of the file system is mounted
  std::string mount_point;  // below the process's root
  std::string options;      // of the mount, not of the file system: "rw,nosuid"
  std::string type;         // "tmpfs"
};

// Lines that are not of that form are left out.
std::vector<MountEntry> parse_mount_table(std::string_view mountinfo);
Result<std::vector<MountEntry>> read_mount_table(pid_t pid);

// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape_mount_text(std::string_view text);

}  // namespace skerry
