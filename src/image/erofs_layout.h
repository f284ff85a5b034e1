// The plan of an EROFS metadata area: where each inode goes and what its directory blocks hold. Used by ErofsWriter
// only.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "image/erofs_format.h"
#include "image/merged_tree.h"

namespace skerry::erofs {

// One inode in the metadata area.
struct PlacedInode {
  const Inode* inode = nullptr;
  const MergedTree::Node* directory = nullptr;  // set for directories
  const Inode* parent = nullptr;                // of a directory; the root is its own
  std::uint64_t position = 0;                   // in the metadata area, bytes
  std::uint64_t size = 0;                       // i_size: of files, symlink targets, directory listings
  std::uint64_t blocks_at = 0;                  // first block of content outside the inode
  Layout layout = Layout::kPlain;
  std::string xattrs;  // encoded, with header
  std::uint64_t inline_bytes = 0;
};

class MetadataPlan {
 public:
  // Places all inodes, root first, then depth first by name. `next_block`: where directory blocks may begin.
  // kUnsupported names what does not fit.
  static Result<MetadataPlan> make(const MergedTree& tree, std::uint64_t next_block);

  [[nodiscard]] const std::vector<PlacedInode>& inodes() const { return inodes_; }
  [[nodiscard]] std::uint64_t metadata_bytes() const { return end_; }
  // The first block behind the directory blocks: where the metadata area begins.
  [[nodiscard]] std::uint64_t metadata_block() const { return metadata_block_; }
  [[nodiscard]] std::uint64_t node_id(const Inode* inode) const;
  // What the directory's blocks hold: `size` bytes, each block but the last padded.
  [[nodiscard]] std::string listing(const PlacedInode& directory) const;
  [[nodiscard]] std::string encode(const PlacedInode& placed, std::uint32_t number) const;

 private:
  Status collect(const MergedTree::Node& node, const Inode* parent, const std::string& path);
  Status add(PlacedInode placed, const std::string& path);
  void place(std::uint64_t next_block);

  std::vector<PlacedInode> inodes_;
  std::unordered_map<const Inode*, std::size_t> by_inode_;
  std::uint64_t end_ = 0;
  std::uint64_t metadata_block_ = 0;
};

}  // namespace skerry::erofs
