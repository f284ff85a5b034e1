#include "oci/intel_rdt.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr const char* kResctrl = "/sys/fs/resctrl";

std::vector<std::string> wanted_schemata(const IntelRdt& rdt) {
  std::vector<std::string> lines;
  for (const auto& text : {rdt.l3_cache_schema, rdt.mem_bw_schema}) {
    for (const auto line : split(text, '\n')) {
      if (!trim(line).empty()) lines.emplace_back(trim(line));
    }
  }
  lines.insert(lines.end(), rdt.schemata.begin(), rdt.schemata.end());
  return lines;
}

}  // namespace

Result<std::string> plan_intel_rdt(const Linux& linux_part, const std::string& id) {
  if (!linux_part.intel_rdt) return std::string();
  struct statfs info{};
  if (::statfs(kResctrl, &info) < 0 || info.f_type != RDTGROUP_SUPER_MAGIC) {
    return fail(ErrorCode::kUnsupported, "/linux/intelRdt: this host has no resctrl file system mounted");
  }
  return cat(kResctrl, "/", linux_part.intel_rdt->clos_id.empty() ? id : linux_part.intel_rdt->clos_id);
}

Status enter_intel_rdt(const IntelRdt& rdt, const std::string& group, pid_t pid) {
  const auto made = sys::mkdir(group, 0755);
  const bool existed = !made && made.error().sys_errno == EEXIST;
  if (!made && !existed) return fail(Error(made.error()).in("/linux/intelRdt"));
  for (const auto& line : wanted_schemata(rdt)) {
    if (existed) {
      // A shared class keeps its schemata: it must already say what is asked.
      const auto current = TRY_IN("/linux/intelRdt", read_file(group + "/schemata"));
      if (current.find(line) == std::string::npos) {
        return fail(ErrorCode::kConflict, cat("/linux/intelRdt: ", group, " exists with other schemata than ", line));
      }
      continue;
    }
    TRY_IN("/linux/intelRdt", write_existing(group + "/schemata", line + "\n"));
  }
  return annotate(write_existing(group + "/tasks", cat(pid)), "/linux/intelRdt");
}

Status remove_intel_rdt(const std::string& group) {
  if (group.empty()) return {};
  const auto removed = sys::rmdir(group);
  if (!removed && removed.error().sys_errno != ENOENT) return removed;
  return {};
}

}  // namespace skerry::oci
