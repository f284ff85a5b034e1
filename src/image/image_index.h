// ImageIndex: which names and manifests the store has; "index.json" of the OCI image layout, replaced atomically.
//
// One entry a name; an image that lost its name (another was pulled under it) keeps one entry without a name until it
// is pruned. Not thread-safe: ImageStore holds its lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/digest.h"

namespace skerry {

struct IndexEntry {
  std::string name;  // ImageReference::text(); empty: nameless
  std::string media_type;
  Digest manifest;
  std::uint64_t manifest_size = 0;
};

class ImageIndex {
 public:
  // Reads the layout in `dir`, makes an empty one where there is none. kCorrupt names the file.
  static Result<ImageIndex> open(std::string dir);

  [[nodiscard]] const std::vector<IndexEntry>& entries() const { return entries_; }
  [[nodiscard]] const IndexEntry* by_name(std::string_view name) const;
  // Whole digest, or at least its first six digits when they name one manifest only. kConflict: several.
  [[nodiscard]] Result<const IndexEntry*> by_digest_prefix(std::string_view hex) const;

  // Gives `entry.name` to the manifest. An image that loses its last name by this stays as nameless.
  Status set(IndexEntry entry);
  // Drops one name. The image goes with its last name.
  Status remove_name(std::string_view name);
  // Drops every entry of these manifests.
  Status remove_manifests(const std::vector<Digest>& manifests);

 private:
  explicit ImageIndex(std::string dir) : dir_(std::move(dir)) {}
  Status replace(std::vector<IndexEntry> entries);

  std::string dir_;
  std::vector<IndexEntry> entries_;
};

}  // namespace skerry
