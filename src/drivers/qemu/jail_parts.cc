#include "drivers/qemu/jail_parts.h"

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::qemu {
namespace {

constexpr std::uint64_t kCpuPeriodUs = 100'000;

oci::Mount file_system(const std::string& type, const std::string& target, std::vector<std::string> options) {
  return {target, type, type, std::move(options), {}, {}};
}

}  // namespace

oci::Mount read_only_bind(const std::string& source, const std::string& target) {
  return {target, "bind", source, {"bind", "ro", "nosuid", "nodev"}, {}, {}};
}

std::vector<oci::Mount> jail_mounts() {
  return {
      file_system("proc", "/proc", {"nosuid", "noexec", "nodev"}),
      file_system("tmpfs", "/dev", {"nosuid", "noexec", "strictatime", "mode=755", "size=65536k"}),
      read_only_bind("/usr", "/usr"),
  };
}

oci::CpuLimits cpu_limits(std::uint32_t cpu_milli) {
  oci::CpuLimits out;
  out.period_us = kCpuPeriodUs;
  out.quota_us = static_cast<std::int64_t>(kCpuPeriodUs * cpu_milli / 1000);
  return out;
}

Status make_jail_root(const std::string& path) {
  TRY(sys::mkdir_all(path, 0755));
  for (const std::string_view directory : {"usr", "proc", "dev"}) TRY(sys::mkdir_all(cat(path, "/", directory), 0755));
  for (const std::string_view link : {"bin", "lib", "lib64"}) {
    if (!sys::exists(cat(path, "/", link))) TRY(sys::symlink(cat("usr/", link), cat(path, "/", link)));
  }
  return {};
}

}  // namespace skerry::qemu
