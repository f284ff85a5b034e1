// MergedTree: the file system that layers show when they are applied one on the other, built from the TOP layer down.
//
// Top down, because then a file that a higher layer replaces or removes is known to be hidden before its content comes
// by: the content of each layer is read once, in stream order, and only what is visible is kept. The tree holds names
// and attributes; where content lies is the user's number in Inode::content.
//
//   for each layer, top first:  begin_layer(), add() each entry, end_layer()
//   then finish()
//
// The meaning of whiteouts, opaque directories and undescribed parents is that of image/layer_unpack.h with overlayfs
// on top: both views of an image are the same.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "image/layer_reader.h"

namespace skerry {

struct Inode {
  LayerEntry::Kind kind = LayerEntry::Kind::kDirectory;
  mode_t mode = 0755;
  uid_t uid = 0;
  gid_t gid = 0;
  std::int64_t mtime_s = 0;
  std::uint32_t mtime_ns = 0;
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  std::uint32_t links = 0;
  std::uint64_t size = 0;     // kFile
  std::uint64_t content = 0;  // kFile: for whoever stores the content
  std::string link_target;    // kSymlink
  std::vector<std::pair<std::string, std::string>> xattrs;
};

class MergedTree {
 public:
  // A name in a directory. Without an inode it is a whiteout, which finish() removes.
  struct Node {
    Inode* inode = nullptr;
    std::map<std::string, std::unique_ptr<Node>> children;  // of a directory, sorted by bytes
    bool described = false;                                 // a directory whose attributes a layer gave
    bool opaque = false;                                    // hides what lower layers have in it
    bool sealed = false;                                    // another file's place below: nothing lower describes it
  };

  MergedTree();

  void begin_layer();
  // Takes the layer's next entry. The answer is the inode whose content is to be stored, null when there is none to
  // store (not a file, or hidden by a higher layer). kCorrupt as in image/layer_unpack.h.
  Result<Inode*> add(const LayerEntry& entry);
  // Ends the layer. Files of this layer that are hidden under their own path but visible through a hard link: their
  // content went by already, so the layer has to be read again, storing the content (and the attributes, by describe())
  // of these paths.
  std::unordered_map<std::string, Inode*> end_layer();
  static void describe(Inode& inode, const LayerEntry& entry);

  // Drops whiteouts and counts the links.
  void finish();

  // After finish(): puts an inode at `path`, replacing what is there, with missing directories made (0755, root).
  // Symlinks on the way to its directory are followed inside the tree, as the kernel would: "/sbin/x" lands in
  // /usr/sbin where /sbin leads there. kInvalidArgument when the way is blocked by a file, or by a directory at `path`
  // itself.
  Result<Inode*> install(std::string_view path, const LayerEntry& entry);
  // After finish(): the node at a path, symlinks followed; null when there is none.
  [[nodiscard]] const Node* find(std::string_view path) const;

  [[nodiscard]] const Node& root() const { return root_; }
  [[nodiscard]] std::size_t inode_count() const { return inodes_.size(); }

 private:
  // What this layer has under a path that is not a directory.
  struct LayerFile {
    Inode* inode = nullptr;  // null: hidden
    std::string origin;      // the path of the entry that is not a hard link
  };

  Inode* new_inode(const LayerEntry& entry);
  Status note_path(const LayerEntry& entry);
  Node* descend(std::string_view path);
  Result<Inode*> add_hard_link(const LayerEntry& entry);
  Result<Inode*> add_visible(const LayerEntry& entry);
  void add_directory(const LayerEntry& entry);
  void apply_whiteout(const std::string& path);
  void apply_opaque(const std::string& path);
  Node* place(const std::string& path);
  Result<Node*> walk_and_make(std::string_view path);

  std::deque<Inode> inodes_;
  Node root_;
  // Of the current layer:
  std::unordered_map<std::string, LayerFile> files_;
  std::unordered_set<std::string> directories_;
  std::unordered_set<std::string> described_;
  std::vector<std::string> whiteouts_;
  std::vector<std::string> opaques_;
  std::vector<Node*> ended_;  // directories under which a file of this layer ends the merging
  std::unordered_map<std::string, Inode*> unmet_;
};

}  // namespace skerry
