#include "image/erofs_layout.h"

#include <sys/stat.h>

#include <algorithm>
#include <limits>

#include "archive/entry_path.h"
#include "base/text.h"

namespace skerry::erofs {
namespace {

using Kind = LayerEntry::Kind;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

// Names with the node they lead to, in the order of the listing. "." and ".." sort among the others.
struct Name {
  std::string_view text;
  const Inode* inode;
};

std::vector<Name> names_of(const PlacedInode& directory) {
  std::vector<Name> names{{".", directory.inode}, {"..", directory.parent}};
  for (const auto& [name, child] : directory.directory->children) names.push_back({name, child->inode});
  std::ranges::sort(names, {}, &Name::text);
  return names;
}

// Calls `emit(first, last)` for each block's worth of names and returns the listing's size.
template <typename Emit>
std::uint64_t cut_into_blocks(const std::vector<Name>& names, const Emit& emit) {
  std::uint64_t whole_blocks = 0;
  std::uint64_t used = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::uint64_t needs = kDirentSize + names[i].text.size();
    if (used + needs > kBlockSize) {
      emit(first, i);
      ++whole_blocks;
      first = i;
      used = 0;
    }
    used += needs;
  }
  emit(first, names.size());
  return whole_blocks * kBlockSize + used;
}

FileType file_type(Kind kind) {
  switch (kind) {
    case Kind::kDirectory: return FileType::kDirectory;
    case Kind::kSymlink: return FileType::kSymlink;
    case Kind::kCharDevice: return FileType::kCharDevice;
    case Kind::kBlockDevice: return FileType::kBlockDevice;
    case Kind::kFifo: return FileType::kFifo;
    default: return FileType::kRegular;
  }
}

mode_t type_bits(Kind kind) {
  switch (kind) {
    case Kind::kDirectory: return S_IFDIR;
    case Kind::kSymlink: return S_IFLNK;
    case Kind::kCharDevice: return S_IFCHR;
    case Kind::kBlockDevice: return S_IFBLK;
    case Kind::kFifo: return S_IFIFO;
    default: return S_IFREG;
  }
}

// The kernel's 32-bit device number (include/linux/kdev_t.h, new_encode_dev).
std::uint32_t encode_device(std::uint32_t major, std::uint32_t minor) {
  return (minor & 0xffU) | (major << 8U) | ((minor & ~0xffU) << 12U);
}

Result<std::string> encode_xattrs(const Inode& inode, const std::string& path) {
  std::string out;
  if (inode.xattrs.empty()) return out;
  out.assign(kXattrHeaderSize, '\0');
  for (const auto& [name, value] : inode.xattrs) {
    const auto [index, rest] = split_xattr_name(name);
    if (index == 0) return fail(ErrorCode::kUnsupported, cat("\"", printable(path), "\": attribute ", name));
    put(out, static_cast<std::uint8_t>(rest.size()));
    put(out, index);
    put(out, static_cast<std::uint16_t>(value.size()));
    out += rest;
    out += value;
    out.append(round_up(out.size(), 4) - out.size(), '\0');
  }
  const std::uint64_t count = (out.size() - kXattrHeaderSize) / kXattrEntrySize + 1;
  if (count > std::numeric_limits<std::uint16_t>::max()) {
    return fail(ErrorCode::kUnsupported, cat("\"", printable(path), "\": more attributes than EROFS takes"));
  }
  return out;
}

}  // namespace

Status MetadataPlan::add(PlacedInode placed, const std::string& path) {
  if (!by_inode_.try_emplace(placed.inode, inodes_.size()).second) return {};
  placed.xattrs = TRY(encode_xattrs(*placed.inode, path));
  const Inode& inode = *placed.inode;
  if (placed.directory != nullptr) {
    placed.size = cut_into_blocks(names_of(placed), [](std::size_t, std::size_t) {});
  } else if (inode.kind == Kind::kSymlink) {
    placed.size = inode.link_target.size();
  } else if (inode.kind == Kind::kFile) {
    placed.size = inode.size;
    placed.blocks_at = inode.content;
  }
  inodes_.push_back(std::move(placed));
  return {};
}

Status MetadataPlan::collect(const MergedTree::Node& node, const Inode* parent, const std::string& path) {
  PlacedInode directory;
  directory.inode = node.inode;
  directory.directory = &node;
  directory.parent = parent;
  TRY(add(std::move(directory), path));
  for (const auto& [name, child] : node.children) {
    const std::string child_path = path.empty() ? name : cat(path, "/", name);
    if (child->inode->kind == Kind::kDirectory) {
      TRY(collect(*child, node.inode, child_path));
      continue;
    }
    PlacedInode file;
    file.inode = child->inode;
    TRY(add(std::move(file), child_path));
  }
  return {};
}

// Gives every inode its position. The tail of inline content must not cross a block (the kernel maps one page for it).
void MetadataPlan::place(std::uint64_t next_block) {
  // Node id 0 is left free: it is what an empty field would say.
  std::uint64_t at = kInodeSize;
  for (auto& placed : inodes_) {
    // Aligned to its own size, the inode never crosses a block.
    at = round_up(at, kInodeSize);
    const std::uint64_t header = kInodeSize + placed.xattrs.size();
    const bool may_be_inline = placed.directory != nullptr || placed.inode->kind == Kind::kSymlink;
    const std::uint64_t tail = may_be_inline ? placed.size % kBlockSize : 0;
    if (tail != 0 && header % kBlockSize + tail <= kBlockSize) {
      placed.layout = Layout::kInline;
      placed.inline_bytes = tail;
      if ((at + header) % kBlockSize + tail > kBlockSize) at = round_up(at, kBlockSize);
    }
    placed.position = at;
    at += header + placed.inline_bytes;
    const std::uint64_t outside = may_be_inline ? placed.size - placed.inline_bytes : 0;
    if (outside != 0) {
      placed.blocks_at = next_block;
      next_block += (outside + kBlockSize - 1) / kBlockSize;
    }
  }
  end_ = at;
  metadata_block_ = next_block;
}

Result<MetadataPlan> MetadataPlan::make(const MergedTree& tree, std::uint64_t next_block) {
  MetadataPlan plan;
  TRY(plan.collect(tree.root(), tree.root().inode, ""));
  plan.place(next_block);
  const std::uint64_t blocks = plan.metadata_block_ + (plan.end_ + kBlockSize - 1) / kBlockSize;
  if (blocks > std::numeric_limits<std::uint32_t>::max()) {
    return fail(ErrorCode::kUnsupported, "the file system is larger than 16 TiB");
  }
  return plan;
}

std::uint64_t MetadataPlan::node_id(const Inode* inode) const {
  return inodes_[by_inode_.at(inode)].position / kSlotSize;
}

std::string MetadataPlan::listing(const PlacedInode& directory) const {
  std::string out;
  const auto names = names_of(directory);
  cut_into_blocks(names, [&](std::size_t first, std::size_t last) {
    out.append(round_up(out.size(), kBlockSize) - out.size(), '\0');
    std::uint64_t name_offset = (last - first) * kDirentSize;
    for (std::size_t i = first; i < last; ++i) {
      put(out, node_id(names[i].inode));
      put(out, static_cast<std::uint16_t>(name_offset));
      put(out, static_cast<std::uint8_t>(file_type(names[i].inode->kind)));
      put(out, std::uint8_t{0});
      name_offset += names[i].text.size();
    }
    for (std::size_t i = first; i < last; ++i) out += names[i].text;
  });
  return out;
}

std::string MetadataPlan::encode(const PlacedInode& placed, std::uint32_t number) const {
  const Inode& inode = *placed.inode;
  std::uint32_t where = static_cast<std::uint32_t>(placed.blocks_at);
  if (inode.kind == Kind::kCharDevice || inode.kind == Kind::kBlockDevice) {
    where = encode_device(inode.device_major, inode.device_minor);
  }
  constexpr std::uint16_t kExtended = 1;
  const std::uint64_t xattr_count =
      placed.xattrs.empty() ? 0 : (placed.xattrs.size() - kXattrHeaderSize) / kXattrEntrySize + 1;
  std::string out;
  put(out, static_cast<std::uint16_t>(kExtended | (static_cast<unsigned>(placed.layout) << 1U)));
  put(out, static_cast<std::uint16_t>(xattr_count));
  put(out, static_cast<std::uint16_t>(type_bits(inode.kind) | inode.mode));
  put(out, std::uint16_t{0});
  put(out, placed.size);
  put(out, where);
  put(out, number);
  put(out, inode.uid);
  put(out, inode.gid);
  put(out, static_cast<std::uint64_t>(inode.mtime_s));
  put(out, inode.mtime_ns);
  put(out, inode.links);
  out.append(16, '\0');
  out += placed.xattrs;
  return out;
}

}  // namespace skerry::erofs
