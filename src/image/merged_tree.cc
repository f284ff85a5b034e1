#include "image/merged_tree.h"

#include "archive/entry_path.h"
#include "base/text.h"

namespace skerry {
namespace {

using Kind = LayerEntry::Kind;

bool is_directory(const MergedTree::Node& node) {
  return node.inode != nullptr && node.inode->kind == Kind::kDirectory;
}

std::unexpected<Error> refuse(std::string_view path, std::string_view why) {
  return fail(ErrorCode::kCorrupt, cat("entry \"", printable(path), "\": ", why));
}

void remove_whiteouts(MergedTree::Node& node) {
  for (auto child = node.children.begin(); child != node.children.end();) {
    if (child->second->inode == nullptr) {
      child = node.children.erase(child);
      continue;
    }
    if (is_directory(*child->second)) ++node.inode->links;
    remove_whiteouts(*child->second);
    ++child;
  }
}

}  // namespace

MergedTree::MergedTree() {
  root_.inode = &inodes_.emplace_back();
  root_.inode->links = 2;
}

void MergedTree::describe(Inode& inode, const LayerEntry& entry) {
  inode.kind = entry.kind;
  inode.mode = entry.mode;
  inode.uid = entry.uid;
  inode.gid = entry.gid;
  inode.mtime_s = entry.mtime_s;
  inode.mtime_ns = entry.mtime_ns;
  inode.device_major = entry.device_major;
  inode.device_minor = entry.device_minor;
  inode.size = entry.size;
  inode.xattrs = entry.xattrs;
  if (entry.kind == Kind::kSymlink) inode.link_target = entry.link_target;
}

Inode* MergedTree::new_inode(const LayerEntry& entry) {
  Inode& inode = inodes_.emplace_back();
  describe(inode, entry);
  inode.links = entry.kind == Kind::kDirectory ? 2 : 1;
  return &inode;
}

void MergedTree::begin_layer() {
  files_.clear();
  directories_.clear();
  described_.clear();
  whiteouts_.clear();
  opaques_.clear();
  ended_.clear();
  unmet_.clear();
}

// The layer by itself must be a file system: no name twice, nothing below what is not a directory.
Status MergedTree::note_path(const LayerEntry& entry) {
  for (std::string_view above = parent_of(entry.path); !above.empty(); above = parent_of(above)) {
    std::string path(above);
    if (files_.contains(path)) return refuse(entry.path, "goes through something that is not a directory");
    if (!directories_.insert(std::move(path)).second) break;
  }
  if (entry.kind == Kind::kWhiteout) return {};
  if (entry.kind == Kind::kDirectory || entry.kind == Kind::kOpaque) {
    if (files_.contains(entry.path)) return refuse(entry.path, "is in the layer twice");
    directories_.insert(entry.path);
    return {};
  }
  if (directories_.contains(entry.path) || files_.contains(entry.path)) {
    return refuse(entry.path, "is in the layer twice");
  }
  files_.try_emplace(entry.path, LayerFile{nullptr, entry.path});
  return {};
}

// The directory node of `path`, made where it is missing; null when a higher layer hides it.
MergedTree::Node* MergedTree::descend(std::string_view path) {
  Node* node = &root_;
  for (std::size_t from = 0; from < path.size();) {
    const auto slash = std::min(path.find('/', from), path.size());
    if (node->opaque) return nullptr;
    auto& child = node->children[std::string(path.substr(from, slash - from))];
    if (child == nullptr) {
      child = std::make_unique<Node>();
      child->inode = &inodes_.emplace_back();
      child->inode->links = 2;
    }
    if (!is_directory(*child)) return nullptr;
    node = child.get();
    from = slash + 1;
  }
  return node;
}

Result<Inode*> MergedTree::add(const LayerEntry& entry) {
  TRY(note_path(entry));
  switch (entry.kind) {
    case Kind::kDirectory: add_directory(entry); return nullptr;
    case Kind::kHardLink: return add_hard_link(entry);
    case Kind::kWhiteout: whiteouts_.push_back(entry.path); return nullptr;
    case Kind::kOpaque: opaques_.push_back(entry.path); return nullptr;
    default: return add_visible(entry);
  }
}

void MergedTree::add_directory(const LayerEntry& entry) {
  Node* node = &root_;
  if (!entry.path.empty()) {
    Node* const above = descend(parent_of(entry.path));
    if (above == nullptr || above->opaque) return;
    auto& place = above->children[std::string(name_of(entry.path))];
    if (place == nullptr) {
      place = std::make_unique<Node>();
      place->inode = new_inode(entry);
    }
    if (!is_directory(*place)) return;
    node = place.get();
  }
  // A second description in the same layer counts; one in a lower layer only where no higher one gave any.
  if (node->sealed) return;
  if (node->described && !described_.contains(entry.path)) return;
  const auto links = node->inode->links;
  describe(*node->inode, entry);
  node->inode->links = links;
  node->described = true;
  described_.insert(entry.path);
}

// The empty place for a file in the tree; null when a higher layer hides it.
MergedTree::Node* MergedTree::place(const std::string& path) {
  Node* const above = descend(parent_of(path));
  if (above == nullptr || above->opaque) return nullptr;
  auto& node = above->children[std::string(name_of(path))];
  if (node == nullptr) {
    node = std::make_unique<Node>();
    return node.get();
  }
  // A directory above a file: what lies below the file does not show through.
  if (is_directory(*node)) ended_.push_back(node.get());
  return nullptr;
}

Result<Inode*> MergedTree::add_visible(const LayerEntry& entry) {
  Node* const node = place(entry.path);
  if (node == nullptr) return nullptr;
  node->inode = new_inode(entry);
  files_[entry.path].inode = node->inode;
  return entry.kind == Kind::kFile ? node->inode : nullptr;
}

Result<Inode*> MergedTree::add_hard_link(const LayerEntry& entry) {
  const auto target = files_.find(entry.link_target);
  if (target == files_.end() || entry.link_target == entry.path) {
    return refuse(entry.path, cat("is a hard link to \"", printable(entry.link_target), "\", no file of this layer"));
  }
  LayerFile file = target->second;
  if (Node* const node = place(entry.path); node != nullptr) {
    if (file.inode == nullptr) {
      auto& inode = unmet_[file.origin];
      if (inode == nullptr) {
        inode = &inodes_.emplace_back();
        inode->kind = Kind::kFile;  // until the second reading describes it
      }
      file.inode = inode;
    }
    node->inode = file.inode;
    ++file.inode->links;
  }
  files_[entry.path] = std::move(file);
  return nullptr;
}

void MergedTree::apply_whiteout(const std::string& path) {
  Node* const above = descend(parent_of(path));
  if (above == nullptr || above->opaque) return;
  auto& node = above->children[std::string(name_of(path))];
  if (node == nullptr) {
    node = std::make_unique<Node>();  // hides what lower layers have
  } else {
    node->opaque = true;
    node->sealed = true;
  }
}

void MergedTree::apply_opaque(const std::string& path) {
  if (Node* const node = descend(path); node != nullptr) node->opaque = true;
}

std::unordered_map<std::string, Inode*> MergedTree::end_layer() {
  for (const auto& path : whiteouts_) apply_whiteout(path);
  for (const auto& path : opaques_) apply_opaque(path);
  for (Node* node : ended_) node->opaque = node->sealed = true;
  return std::move(unmet_);
}

void MergedTree::finish() { remove_whiteouts(root_); }

}  // namespace skerry
