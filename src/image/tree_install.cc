// Adding to a merged tree: paths walked through symlinks, inside the tree.
#include <ranges>

#include "archive/entry_path.h"
#include "base/text.h"
#include "image/merged_tree.h"

namespace skerry {
namespace {

using Kind = LayerEntry::Kind;
using Node = MergedTree::Node;

// As the kernel's limit (path_resolution(7)).
constexpr int kMaxSymlinks = 40;

// The steps of a path, without empty ones and ".".
void push_steps(std::vector<std::string>& pending, std::string_view path) {
  const auto parts = split(path, '/');
  for (const auto part : std::views::reverse(parts)) {
    if (!part.empty() && part != ".") pending.emplace_back(part);
  }
}

// Walks `path` from the root. `enter(directory, name)` gives the child, or null to give up.
template <typename NodeType, typename Enter>
NodeType* walk(NodeType& root, std::string_view path, const Enter& enter) {
  std::vector<NodeType*> way{&root};
  std::vector<std::string> pending;  // next step last
  push_steps(pending, path);
  int symlinks = 0;
  while (!pending.empty()) {
    const std::string step = std::move(pending.back());
    pending.pop_back();
    if (step == "..") {
      if (way.size() > 1) way.pop_back();  // the root's parent is the root
      continue;
    }
    if (way.back()->inode->kind != Kind::kDirectory) return nullptr;
    NodeType* const child = enter(*way.back(), step);
    if (child == nullptr) return nullptr;
    if (child->inode->kind == Kind::kSymlink) {
      if (++symlinks > kMaxSymlinks) return nullptr;
      if (child->inode->link_target.starts_with('/')) way.resize(1);
      push_steps(pending, child->inode->link_target);
      continue;
    }
    way.push_back(child);
  }
  return way.back();
}

}  // namespace

const MergedTree::Node* MergedTree::find(std::string_view path) const {
  return walk(root_, path, [](const Node& directory, const std::string& name) -> const Node* {
    const auto found = directory.children.find(name);
    return found == directory.children.end() ? nullptr : found->second.get();
  });
}

Result<MergedTree::Node*> MergedTree::walk_and_make(std::string_view path) {
  const auto enter = [this](Node& directory, const std::string& name) -> Node* {
    auto& child = directory.children[name];
    if (child == nullptr) {
      child = std::make_unique<Node>();
      child->inode = &inodes_.emplace_back();
      child->inode->links = 2;
      ++directory.inode->links;
    }
    return child.get();
  };
  Node* const node = walk(root_, path, enter);
  if (node == nullptr || node->inode->kind != Kind::kDirectory) {
    return fail(ErrorCode::kInvalidArgument, cat("\"/", printable(path), "\" is no directory in the image"));
  }
  return node;
}

Result<Inode*> MergedTree::install(std::string_view path, const LayerEntry& entry) {
  if (entry.kind == Kind::kDirectory) {
    Node* const node = TRY(walk_and_make(path));
    if (!node->described) {
      const auto links = node->inode->links;
      describe(*node->inode, entry);
      node->inode->links = links;
      node->described = true;
    }
    return node->inode;
  }
  Node* const above = TRY(walk_and_make(parent_of(path)));
  auto& node = above->children[std::string(name_of(path))];
  if (node == nullptr) {
    node = std::make_unique<Node>();
  } else if (node->inode->kind == Kind::kDirectory) {
    return fail(ErrorCode::kInvalidArgument, cat("\"/", printable(path), "\" is a directory in the image"));
  } else {
    --node->inode->links;
  }
  node->inode = new_inode(entry);
  return node->inode;
}

}  // namespace skerry
