#include "image/layer_unpack.h"

#include <fcntl.h>
#include <linux/openat2.h>

#include <map>
#include <set>

#include "archive/entry_path.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

constexpr mode_t kImpliedMode = 0755;

timespec mtime_of(const LayerEntry& entry) { return {entry.mtime_s, static_cast<long>(entry.mtime_ns)}; }

class Unpacker {
 public:
  Unpacker(int root_fd, const CancelCheck& cancelled) : root_(root_fd), cancelled_(cancelled) {}

  Result<UnpackedLayer> run(LayerReader& reader);

 private:
  struct Directory {
    bool described = false;  // false: implied
    timespec mtime{};
  };

  Status apply(LayerReader& reader, const LayerEntry& entry);
  Status make_directory(const LayerEntry& entry);
  Status make_file(LayerReader& reader, const LayerEntry& entry);
  Status make_symlink(const LayerEntry& entry);
  Status make_hard_link(const LayerEntry& entry);
  Status make_node(const LayerEntry& entry, mode_t type);
  Status make_whiteout(const LayerEntry& entry);
  Status make_opaque(const std::string& path);
  Status clear_name(const LayerEntry& entry, int parent, const std::string& name);
  Status finish_directories();

  [[nodiscard]] bool is_below_whiteout(std::string_view path) const;
  Result<int> parent(std::string_view path);
  Result<Fd> open_directory(const std::string& path, std::uint64_t flags);
  Result<Fd> make_parents(const std::string& path);

  int root_;
  const CancelCheck& cancelled_;
  std::map<std::string, Directory> directories_;
  std::set<std::string> whiteouts_;
  // The parent of the last entry: tars list a directory's content together.
  std::string parent_path_;
  Fd parent_;
};

std::unexpected<Error> refuse(std::string_view path, std::string_view why) {
  return fail(ErrorCode::kCorrupt, cat("entry \"", printable(path), "\": ", why));
}

// Below the root only, through real directories of the same file system only.
Result<Fd> Unpacker::open_directory(const std::string& path, std::uint64_t flags) {
  return sys::openat2(root_, path.empty() ? "." : path, flags | O_DIRECTORY | O_NOFOLLOW,
                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

Result<Fd> Unpacker::make_parents(const std::string& path) {
  for (std::size_t slash = path.find('/'); true; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const Fd above = TRY(open_directory(std::string(parent_of(part)), O_PATH));
    const std::string name(name_of(part));
    if (whiteouts_.erase(part) != 0) {
      TRY(sys::unlinkat(above.get(), name));
      TRY(sys::mkdirat(above.get(), name, kImpliedMode));
      directories_.try_emplace(part);
      TRY(make_opaque(part));
    } else if (!directories_.contains(part)) {
      if (auto made = sys::mkdirat(above.get(), name, kImpliedMode); made) {
        directories_.try_emplace(part);
      } else if (made.error().sys_errno != EEXIST) {
        return fail(std::move(made).error());
      }
    }
    if (slash == std::string::npos) break;
  }
  return open_directory(path, O_PATH);
}

bool Unpacker::is_below_whiteout(std::string_view path) const {
  for (; !path.empty(); path = parent_of(path)) {
    if (whiteouts_.contains(std::string(path))) return true;
  }
  return false;
}

Result<int> Unpacker::parent(std::string_view path) {
  const std::string wanted(parent_of(path));
  if (parent_ && parent_path_ == wanted) return parent_.get();
  auto opened = open_directory(wanted, O_PATH);
  const bool missing = !opened && (opened.error().sys_errno == ENOENT || is_below_whiteout(wanted));
  if (missing) opened = make_parents(wanted);
  if (!opened) {
    const int err = opened.error().sys_errno;
    if (err == ELOOP || err == ENOTDIR) return refuse(path, "goes through something that is not a directory");
    return fail(std::move(opened).error());
  }
  parent_ = std::move(*opened);
  parent_path_ = wanted;
  return parent_.get();
}

// Makes room for an entry: a whiteout of this same layer hides only what is below, so the entry replaces it.
Status Unpacker::clear_name(const LayerEntry& entry, int parent, const std::string& name) {
  if (whiteouts_.erase(entry.path) != 0) return sys::unlinkat(parent, name);
  if (sys::lstatat(parent, name)) return refuse(entry.path, "is in the layer twice");
  return {};
}

Status Unpacker::make_directory(const LayerEntry& entry) {
  if (!entry.path.empty() && !directories_.contains(entry.path)) {
    const int above = TRY(parent(entry.path));
    const std::string name(name_of(entry.path));
    const bool hidden_below = whiteouts_.contains(entry.path);
    TRY(clear_name(entry, above, name));
    TRY(sys::mkdirat(above, name, 0700));
    if (hidden_below) TRY(make_opaque(entry.path));
  }
  directories_[entry.path] = {true, mtime_of(entry)};
  const Fd dir = TRY(open_directory(entry.path, O_RDONLY));
  TRY(sys::fchown(dir.get(), entry.uid, entry.gid));
  TRY(sys::fchmod(dir.get(), entry.mode));
  for (const auto& [key, value] : entry.xattrs) TRY(sys::fsetxattr(dir.get(), key, value));
  return {};
}

Status Unpacker::make_file(LayerReader& reader, const LayerEntry& entry) {
  const int above = TRY(parent(entry.path));
  const std::string name(name_of(entry.path));
  TRY(clear_name(entry, above, name));
  const Fd file = TRY(sys::openat(above, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  std::uint64_t end = 0;
  const auto write = [&](std::uint64_t offset, std::string_view bytes) -> Status {
    end = offset + bytes.size();
    return sys::pwrite_all(file.get(), bytes, offset);
  };
  TRY(reader.read_content(write));
  if (end < entry.size) TRY(sys::ftruncate(file.get(), entry.size));
  // chown(2) clears set-user-id bits and file capabilities: owner first.
  TRY(sys::fchown(file.get(), entry.uid, entry.gid));
  TRY(sys::fchmod(file.get(), entry.mode));
  for (const auto& [key, value] : entry.xattrs) TRY(sys::fsetxattr(file.get(), key, value));
  return sys::futimens(file.get(), mtime_of(entry));
}

Status Unpacker::make_symlink(const LayerEntry& entry) {
  const int above = TRY(parent(entry.path));
  const std::string name(name_of(entry.path));
  TRY(clear_name(entry, above, name));
  TRY(sys::symlinkat(entry.link_target, above, name));
  // Linux has no user.* attributes on symlinks, and the others mean nothing there: entry.xattrs is not used.
  TRY(sys::lchownat(above, name, entry.uid, entry.gid));
  return sys::lutimensat(above, name, mtime_of(entry));
}

Status Unpacker::make_hard_link(const LayerEntry& entry) {
  auto from = open_directory(std::string(parent_of(entry.link_target)), O_PATH);
  const bool is_there = from && !whiteouts_.contains(entry.link_target) && !directories_.contains(entry.link_target) &&
                        sys::lstatat(from->get(), std::string(name_of(entry.link_target)));
  if (!is_there) {
    return refuse(entry.path, cat("is a hard link to \"", printable(entry.link_target), "\", no file of this layer"));
  }
  const int above = TRY(parent(entry.path));
  const std::string name(name_of(entry.path));
  TRY(clear_name(entry, above, name));
  return sys::linkat(from->get(), std::string(name_of(entry.link_target)), above, name);
}

Status Unpacker::make_node(const LayerEntry& entry, mode_t type) {
  const int above = TRY(parent(entry.path));
  const std::string name(name_of(entry.path));
  TRY(clear_name(entry, above, name));
  TRY(sys::mknodat(above, name, type | 0600U, entry.device_major, entry.device_minor));
  TRY(sys::lchownat(above, name, entry.uid, entry.gid));
  TRY(sys::fchmodat(above, name, entry.mode));
  return sys::lutimensat(above, name, mtime_of(entry));
}

Status Unpacker::make_whiteout(const LayerEntry& entry) {
  const int above = TRY(parent(entry.path));
  const std::string name(name_of(entry.path));
  if (directories_.contains(entry.path)) return make_opaque(entry.path);
  if (sys::lstatat(above, name)) return {};  // this layer's own entry hides the one below anyway
  TRY(sys::mknodat(above, name, S_IFCHR, 0, 0));
  whiteouts_.insert(entry.path);
  return {};
}

Status Unpacker::make_opaque(const std::string& path) {
  auto dir = open_directory(path, O_RDONLY);
  if (!dir && dir.error().sys_errno == ENOENT) {
    TRY(make_parents(path));
    dir = open_directory(path, O_RDONLY);
  }
  if (!dir) return refuse(path, "is marked opaque but is not a directory");
  return sys::fsetxattr(dir->get(), "trusted.overlay.opaque", "y");
}

Status Unpacker::apply(LayerReader& reader, const LayerEntry& entry) {
  switch (entry.kind) {
    case LayerEntry::Kind::kDirectory: return make_directory(entry);
    case LayerEntry::Kind::kFile: return make_file(reader, entry);
    case LayerEntry::Kind::kSymlink: return make_symlink(entry);
    case LayerEntry::Kind::kHardLink: return make_hard_link(entry);
    case LayerEntry::Kind::kCharDevice: return make_node(entry, S_IFCHR);
    case LayerEntry::Kind::kBlockDevice: return make_node(entry, S_IFBLK);
    case LayerEntry::Kind::kFifo: return make_node(entry, S_IFIFO);
    case LayerEntry::Kind::kWhiteout: return make_whiteout(entry);
    case LayerEntry::Kind::kOpaque: return make_opaque(entry.path);
  }
  return fail(ErrorCode::kInternal, "unknown kind of layer entry");
}

// Making entries changed the directories' times: set them last, children before parents.
Status Unpacker::finish_directories() {
  for (auto at = directories_.rbegin(); at != directories_.rend(); ++at) {
    const Fd dir = TRY(open_directory(at->first, O_RDONLY));
    if (!at->second.described) TRY(sys::fchmod(dir.get(), kImpliedMode));  // whatever the umask was
    TRY(sys::futimens(dir.get(), at->second.mtime));
  }
  return {};
}

Result<UnpackedLayer> Unpacker::run(LayerReader& reader) {
  while (true) {
    if (cancelled_ && cancelled_()) return fail(ErrorCode::kCancelled, "unpacking was cancelled");
    const auto entry = TRY(reader.next());
    if (!entry) break;
    auto applied = apply(reader, *entry);
    if (!applied && applied.error().sys_errno != 0) {
      return fail(std::move(std::move(applied).error()).in(cat("entry \"", printable(entry->path), "\"")));
    }
    TRY(std::move(applied));
  }
  parent_.reset();
  TRY(finish_directories());
  UnpackedLayer out;
  out.diff_id = TRY(reader.finish());
  for (const auto& [path, directory] : directories_) {
    if (!directory.described && !path.empty()) out.implied_directories.push_back(path);
  }
  return out;
}

}  // namespace

Result<UnpackedLayer> unpack_layer(Fd blob, int root_fd, const LayerLimits& limits, const CancelCheck& cancelled) {
  LayerReader reader = TRY(LayerReader::open(std::move(blob), limits));
  return Unpacker(root_fd, cancelled).run(reader);
}

}  // namespace skerry
