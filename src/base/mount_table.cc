#include "base/mount_table.h"

#include <algorithm>

#include "base/file_io.h"
#include "base/text.h"

namespace skerry {

std::string unescape_mount_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digits = text.substr(std::min(i + 1, text.size()), 3);
    const bool octal = text[i] == '\\' && digits.size() == 3 &&
                       std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '7'; });
    if (!octal) {
      out += text[i];
      continue;
    }
    out += static_cast<char>((digits[0] - '0') * 64 + (digits[1] - '0') * 8 + (digits[2] - '0'));
    i += 3;
  }
  return out;
}

// "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup cgroup rw": fields 1, 4, 5, 6, and the first behind " - ".
std::vector<MountEntry> parse_mount_table(std::string_view mountinfo) {
  std::vector<MountEntry> out;
  for (const auto line : split(mountinfo, '\n')) {
    const auto dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto left = split(line.substr(0, dash), ' ');
    const auto right = split(line.substr(dash + 3), ' ');
    if (left.size() < 6 || right.empty()) continue;
    const auto id = parse_int<int>(left[0], "mount id");
    if (!id) continue;
    out.push_back(
        {*id, unescape_mount_text(left[3]), unescape_mount_text(left[4]), std::string(left[5]), std::string(right[0])});
  }
  return out;
}

Result<std::vector<MountEntry>> read_mount_table(pid_t pid) {
  return parse_mount_table(TRY(read_file(cat("/proc/", pid, "/mountinfo"))));
}

}  // namespace skerry
