#include "control/asked_lately.h"

#include <algorithm>

namespace skerry {
namespace {

// Shapes that are remembered; who starts more different ones in turn gains nothing by spares.
constexpr std::size_t kRemembered = 32;
constexpr unsigned kTwice = 2;

// QemuDriver::prepare()'s own conditions, as far as a specification tells.
bool can_be_made_beforehand(const EnvironmentSpec& spec) {
  return spec.isolation == Isolation::kMicrovm && (!spec.image.empty() || spec.root_disk) && spec.mounts.empty() &&
         spec.devices == DevicePassthrough{} && !spec.cloud_init;
}

// Whoever gets a spare learns nothing from it of those before him: it never had more than this.
EnvironmentSpec shape_of(const EnvironmentSpec& spec) {
  EnvironmentSpec out;
  out.isolation = spec.isolation;
  out.zone = spec.zone;
  out.image = spec.image;
  out.rootfs_path = spec.rootfs_path;
  out.root_disk = spec.root_disk;
  out.initramfs = spec.initramfs;
  out.plugin = spec.plugin;
  out.plugin_version = spec.plugin_version;
  out.resources.cpu_milli = spec.resources.cpu_milli;
  out.resources.memory_mib = spec.resources.memory_mib;
  return out;
}

}  // namespace

void AskedLately::note(const EnvironmentSpec& spec, const std::string& image_digest, MonoTime now) {
  if (most_ == 0 || !can_be_made_beforehand(spec)) return;
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(
      asked_, [&](const Asked& each) { return each.image_digest == image_digest && same_shape(each.shape, spec); });
  Asked asked{shape_of(spec), image_digest, 1, now};
  if (found != asked_.end()) {
    if (now - found->last <= kAskedWithin) asked.times = std::min(found->times + 1, kTwice);
    asked_.erase(found);
  }
  asked_.insert(asked_.begin(), std::move(asked));
  if (asked_.size() > kRemembered) asked_.pop_back();
}

std::vector<WarmShape> AskedLately::shapes(MonoTime now) {
  const std::lock_guard lock(mutex_);
  std::erase_if(asked_, [&](const Asked& each) { return now - each.last > kAskedWithin; });
  std::vector<WarmShape> out;
  for (const auto& each : asked_) {
    if (out.size() == most_) break;
    if (each.times < kTwice) continue;
    WarmShape shape;
    shape.spec = each.shape;
    shape.image_digest = each.image_digest;
    shape.wish = {WarmMode::kWarmed, 1};
    shape.spare = true;
    out.push_back(std::move(shape));
  }
  return out;
}

}  // namespace skerry
