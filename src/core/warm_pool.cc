#include "core/warm_pool.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace skerry {
namespace {

constexpr std::array kWords{std::pair(WarmMode::kOff, std::string_view("off")),
                            std::pair(WarmMode::kParked, std::string_view("parked")),
                            std::pair(WarmMode::kWarmed, std::string_view("warmed"))};

}  // namespace

std::string_view to_text(WarmMode value) {
  for (const auto& [mode, word] : kWords) {
    if (mode == value) return word;
  }
  return "off";
}

Result<WarmMode> parse_warm_mode(std::string_view text) {
  for (const auto& [mode, word] : kWords) {
    if (word == text) return mode;
  }
  return fail(ErrorCode::kInvalidArgument, cat("\"", text, "\" is not one of off, parked, warmed"));
}

bool same_shape(const EnvironmentSpec& a, const EnvironmentSpec& b) {
  return a.plugin == b.plugin && a.zone == b.zone && a.isolation == b.isolation && a.root_disk == b.root_disk &&
         a.initramfs == b.initramfs && a.rootfs_path == b.rootfs_path && a.cloud_init == b.cloud_init &&
         a.mounts == b.mounts && a.devices == b.devices && a.resources.cpu_milli == b.resources.cpu_milli &&
         a.resources.memory_mib == b.resources.memory_mib;
}

}  // namespace skerry
