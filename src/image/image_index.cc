#include "image/image_index.h"

#include <algorithm>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "wire/oci_image_json.h"

namespace skerry {
namespace {

constexpr std::string_view kIndexFile = "/index.json";
constexpr std::string_view kLayoutFile = "/oci-layout";
constexpr std::size_t kMinPrefix = 6;

}  // namespace

Result<ImageIndex> ImageIndex::open(std::string dir) {
  ImageIndex out(std::move(dir));
  const std::string path = cat(out.dir_, kIndexFile);
  if (!sys::exists(path)) {
    TRY(write_file_atomic(cat(out.dir_, kLayoutFile), wire::oci_layout_file(), 0600));
    TRY(out.replace({}));
    return out;
  }
  const auto text = TRY(read_file(path, wire::kMaxManifestBytes));
  const auto index = TRY_IN(path, wire::parse_oci_index(text));
  for (const auto& manifest : index.manifests) {
    const auto name = manifest.annotations.find(std::string(wire::kAnnotationRefName));
    out.entries_.push_back({name == manifest.annotations.end() ? std::string() : name->second, manifest.media_type,
                            manifest.digest, manifest.size});
  }
  return out;
}

const IndexEntry* ImageIndex::by_name(std::string_view name) const {
  const auto found = std::ranges::find(entries_, name, &IndexEntry::name);
  return found == entries_.end() || name.empty() ? nullptr : &*found;
}

Result<const IndexEntry*> ImageIndex::by_digest_prefix(std::string_view hex) const {
  const IndexEntry* found = nullptr;
  if (hex.size() < kMinPrefix) return found;
  for (const auto& entry : entries_) {
    if (!entry.manifest.hex().starts_with(hex)) continue;
    if (found != nullptr && found->manifest != entry.manifest) {
      return fail(ErrorCode::kConflict, cat("image id \"", hex, "\" names several images"), "write more digits");
    }
    if (found == nullptr) found = &entry;
  }
  return found;
}

Status ImageIndex::set(IndexEntry entry) {
  auto next = entries_;
  const auto same_name = [&](const IndexEntry& other) { return other.name == entry.name; };
  std::optional<IndexEntry> replaced;
  if (const auto old = std::ranges::find_if(next, same_name); old != next.end() && !entry.name.empty()) {
    replaced = *old;
    next.erase(old);
  }
  // The image has a name now (again): its nameless entry goes.
  std::erase_if(next, [&](const IndexEntry& other) { return other.name.empty() && other.manifest == entry.manifest; });
  next.push_back(std::move(entry));
  if (replaced && std::ranges::find(next, replaced->manifest, &IndexEntry::manifest) == next.end()) {
    replaced->name.clear();
    next.push_back(std::move(*replaced));
  }
  return replace(std::move(next));
}

Status ImageIndex::remove_name(std::string_view name) {
  auto next = entries_;
  std::erase_if(next, [&](const IndexEntry& entry) { return entry.name == name; });
  return replace(std::move(next));
}

Status ImageIndex::remove_manifests(const std::vector<Digest>& manifests) {
  auto next = entries_;
  std::erase_if(
      next, [&](const IndexEntry& entry) { return std::ranges::find(manifests, entry.manifest) != manifests.end(); });
  return replace(std::move(next));
}

Status ImageIndex::replace(std::vector<IndexEntry> entries) {
  wire::OciIndex index;
  for (const auto& entry : entries) {
    wire::OciDescriptor descriptor{entry.media_type, entry.manifest, entry.manifest_size, std::nullopt, {}};
    if (!entry.name.empty()) descriptor.annotations[std::string(wire::kAnnotationRefName)] = entry.name;
    index.manifests.push_back(std::move(descriptor));
  }
  TRY(write_file_atomic(cat(dir_, kIndexFile), wire::format_oci_index(index), 0600, Durability::kPowerLoss));
  crash_point("the index of images is written");
  entries_ = std::move(entries);
  return {};
}

}  // namespace skerry
