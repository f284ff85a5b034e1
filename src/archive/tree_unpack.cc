#include "archive/tree_unpack.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <ranges>
#include <set>

#include "archive/entry_path.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/sys_tree.h"
#include "base/text.h"

namespace skerry {
namespace {

using Kind = TarEntry::Kind;

constexpr mode_t kImpliedMode = 0755;
constexpr mode_t kSetIds = S_ISUID | S_ISGID;

timespec mtime_of(const TarEntry& entry) { return {entry.mtime_s, static_cast<long>(entry.mtime_ns)}; }

// Below the root only, never through a symbolic link.
Result<Fd> open_below(int root, const std::string& path, std::uint64_t flags) {
  return sys::openat2(root, path.empty() ? "." : path, flags | O_DIRECTORY | O_NOFOLLOW,
                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

std::unexpected<Error> stands_in_the_way(std::string_view path, std::string_view what) {
  return fail(ErrorCode::kConflict, cat("\"", printable(path), "\" ", what));
}

class Unpacker {
 public:
  Unpacker(int root, const UnpackOptions& options) : root_(root), options_(options) {}

  Result<Unpacked> run(TarReader& reader) {
    while (auto entry = TRY(reader.next())) {
      TRY(rename_top(*entry));
      auto applied = apply(reader, *entry);
      if (!applied && applied.error().sys_errno != 0) {
        return fail(std::move(applied.error()).in(cat("\"", printable(entry->path), "\"")));
      }
      TRY(std::move(applied));
      ++done_.entries;
    }
    if (done_.entries == 0) return fail(ErrorCode::kCorrupt, "the archive is empty");
    parent_.reset();
    TRY(finish_directories());
    return done_;
  }

 private:
  Status rename_top(TarEntry& entry) const;
  Status rename_path(std::string& path) const;
  Status apply(TarReader& reader, const TarEntry& entry);
  Status make_directory(const TarEntry& entry);
  Status make_file(TarReader& reader, const TarEntry& entry);
  Status make_symlink(const TarEntry& entry);
  Status make_hard_link(const TarEntry& entry);
  Status put_in_place(int above, const std::string& path);
  Status finish_directories();
  Status remember(const TarEntry& entry);
  Result<int> parent(std::string_view path);
  Status make_parents(const std::string& path);
  Status own(Status changed);
  Status set_xattrs(int file, const TarEntry& entry);
  void note(const std::string& text) const {
    if (options_.note) options_.note(text);
  }
  [[nodiscard]] mode_t mode_of(const TarEntry& entry) const {
    return options_.keep_set_ids ? entry.mode : entry.mode & ~kSetIds;
  }

  int root_;
  const UnpackOptions& options_;
  Unpacked done_;
  bool told_of_owners_ = false;
  bool told_of_xattrs_ = false;
  std::map<std::string, TarEntry> directories_;  // described by the archive; their modes and times come last
  std::set<std::string> files_;                  // that this archive brought
  std::uint64_t names_bytes_ = 0;                // of both
  // The parent of the last entry: tars list a directory's content together.
  std::string parent_path_;
  Fd parent_;
  // What is being written, until it gets its name.
  const std::string scratch_ = cat(".skerry-copy.", ::getpid());
};

Status Unpacker::rename_path(std::string& path) const {
  if (options_.top.empty()) return {};
  const bool below = path.starts_with(options_.top) && path.substr(options_.top.size()).starts_with('/');
  if (path != options_.top && !below) return bad_entry(path, cat("is not part of \"", printable(options_.top), "\""));
  if (!options_.as.empty()) path.replace(0, options_.top.size(), options_.as);
  return {};
}

Status Unpacker::rename_top(TarEntry& entry) const {
  if (entry.path == options_.top && options_.top_must_be_directory && entry.kind != Kind::kDirectory) {
    return fail(ErrorCode::kNotFound, cat("there is no directory \"", printable(options_.as), "/\" to copy a file to"),
                "make it first, or leave out the slash");
  }
  TRY(rename_path(entry.path));
  return entry.kind == Kind::kHardLink ? rename_path(entry.link_target) : Status{};
}

Status Unpacker::make_parents(const std::string& path) {
  for (std::size_t slash = path.find('/'); true; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const Fd above = TRY(open_below(root_, std::string(parent_of(part)), O_PATH));
    if (auto made = sys::mkdirat(above.get(), std::string(name_of(part)), kImpliedMode);
        !made && made.error().sys_errno != EEXIST) {
      return made;
    }
    if (slash == std::string::npos) return {};
  }
}

Result<int> Unpacker::parent(std::string_view path) {
  const std::string wanted(parent_of(path));
  if (parent_ && parent_path_ == wanted) return parent_.get();
  auto opened = open_below(root_, wanted, O_PATH);
  if (!opened && opened.error().sys_errno == ENOENT) {
    TRY(make_parents(wanted));
    opened = open_below(root_, wanted, O_PATH);
  }
  if (!opened) {
    const int err = opened.error().sys_errno;
    if (err == ELOOP || err == ENOTDIR || err == EXDEV) {
      return stands_in_the_way(wanted, "is no directory there: nothing is written through links");
    }
    return fail(std::move(opened).error());
  }
  parent_ = std::move(*opened);
  parent_path_ = wanted;
  return parent_.get();
}

// Changing owners is a right that a restricted environment may not have, and ids may have no place in a namespace.
Status Unpacker::own(Status changed) {
  if (changed) return {};
  const int err = changed.error().sys_errno;
  if (err != EPERM && err != EINVAL) return changed;
  if (!std::exchange(told_of_owners_, true)) note("owners are not kept: it may not change them there");
  return {};
}

Status Unpacker::set_xattrs(int file, const TarEntry& entry) {
  for (const auto& [name, value] : entry.xattrs) {
    auto set = sys::fsetxattr(file, name, value);
    if (set) continue;
    switch (set.error().sys_errno) {
      case EOPNOTSUPP:  // the file system has none,
      case ENOSPC:      // or room for fewer
      case E2BIG:
      case EINVAL:
      case EPERM:
      case EACCES: break;
      default: return set;
    }
    if (!std::exchange(told_of_xattrs_, true)) {
      note(cat("not all extended attributes are kept: ", printable(entry.path), ": ", printable(name), ": ",
               set.error().message()));
    }
  }
  return {};
}

// Whatever had the name before, but for a directory, makes room in one step.
Status Unpacker::put_in_place(int above, const std::string& path) {
  auto renamed = sys::renameat(above, scratch_, above, std::string(name_of(path)));
  if (renamed) return {};
  static_cast<void>(sys::unlinkat(above, scratch_));
  if (renamed.error().sys_errno == EISDIR) return stands_in_the_way(path, "is a directory there");
  return renamed;
}

Status Unpacker::make_directory(const TarEntry& entry) {
  if (entry.path.empty()) return {};
  const int above = TRY(parent(entry.path));
  const std::string name(name_of(entry.path));
  // Nobody else gets in before it has its owner.
  auto made = sys::mkdirat(above, name, 0700);
  if (!made && made.error().sys_errno != EEXIST) return made;
  if (!made && !S_ISDIR(TRY(sys::lstatat(above, name)).st_mode)) {
    return stands_in_the_way(entry.path, "is there and is no directory");
  }
  TRY(remember(entry));
  directories_[entry.path] = entry;
  return {};
}

// With what a node of a tree costs besides.
Status Unpacker::remember(const TarEntry& entry) {
  constexpr std::uint64_t kNode = 64;
  const bool is_directory = entry.kind == Kind::kDirectory;
  names_bytes_ += kNode + (is_directory ? sizeof entry + 2 * entry.path.size() : entry.path.size());
  for (const auto& xattr : entry.xattrs) {
    if (is_directory) names_bytes_ += sizeof xattr + xattr.first.size() + xattr.second.size();
  }
  if (names_bytes_ <= options_.max_names_bytes) return {};
  return fail(ErrorCode::kResourceExhausted,
              cat("the archive has more names than fit into ", options_.max_names_bytes >> 20U, " MiB"),
              "copy it in parts");
}

Status Unpacker::make_file(TarReader& reader, const TarEntry& entry) {
  const int above = TRY(parent(entry.path));
  const Fd file = TRY(sys::openat(above, scratch_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  const auto fill = [&]() -> Status {
    std::uint64_t end = 0;
    TRY(reader.read_content([&](std::uint64_t offset, std::string_view bytes) {
      end = offset + bytes.size();
      done_.bytes += bytes.size();
      return sys::pwrite_all(file.get(), bytes, offset);
    }));
    if (end < entry.size) TRY(sys::ftruncate(file.get(), entry.size));
    // chown(2) clears set-user-ID bits and capabilities: owner first.
    if (options_.keep_owners) TRY(own(sys::fchown(file.get(), entry.uid, entry.gid)));
    TRY(set_xattrs(file.get(), entry));
    TRY(sys::fchmod(file.get(), mode_of(entry)));
    return sys::futimens(file.get(), mtime_of(entry));
  };
  if (auto filled = fill(); !filled) {
    static_cast<void>(sys::unlinkat(above, scratch_));
    return filled;
  }
  TRY(put_in_place(above, entry.path));
  TRY(remember(entry));
  files_.insert(entry.path);
  return {};
}

Status Unpacker::make_symlink(const TarEntry& entry) {
  const int above = TRY(parent(entry.path));
  TRY(sys::symlinkat(entry.link_target, above, scratch_));
  if (options_.keep_owners) TRY(own(sys::lchownat(above, scratch_, entry.uid, entry.gid)));
  TRY(sys::lutimensat(above, scratch_, mtime_of(entry)));
  return put_in_place(above, entry.path);
}

Status Unpacker::make_hard_link(const TarEntry& entry) {
  if (!files_.contains(entry.link_target)) {
    return bad_entry(entry.path,
                     cat("is a hard link to \"", printable(entry.link_target), "\", no file of this archive"));
  }
  if (entry.link_target == entry.path) return {};
  const Fd from = TRY(open_below(root_, std::string(parent_of(entry.link_target)), O_PATH));
  const int above = TRY(parent(entry.path));
  TRY(sys::linkat(from.get(), std::string(name_of(entry.link_target)), above, scratch_));
  TRY(put_in_place(above, entry.path));
  // Still there when the name was one of the same file already (rename(2)).
  static_cast<void>(sys::unlinkat(above, scratch_));
  TRY(remember(entry));
  files_.insert(entry.path);
  return {};
}

Status Unpacker::apply(TarReader& reader, const TarEntry& entry) {
  if (entry.path.empty() && entry.kind != Kind::kDirectory) return bad_entry(".", "must be a directory");
  switch (entry.kind) {
    case Kind::kDirectory: return make_directory(entry);
    case Kind::kFile: return make_file(reader, entry);
    case Kind::kSymlink: return make_symlink(entry);
    case Kind::kHardLink: return make_hard_link(entry);
    default: note(cat(printable(entry.path), " is a device or a pipe: left out")); return {};
  }
}

// Making entries changed the directories' times, and some may not be entered any more: last, children before parents.
Status Unpacker::finish_directories() {
  for (const auto& [path, entry] : std::views::reverse(directories_)) {
    const Fd directory = TRY(open_below(root_, path, O_RDONLY));
    if (options_.keep_owners) TRY(own(sys::fchown(directory.get(), entry.uid, entry.gid)));
    TRY_IN(printable(path), set_xattrs(directory.get(), entry));
    TRY_IN(printable(path), sys::fchmod(directory.get(), mode_of(entry)));
    TRY_IN(printable(path), sys::futimens(directory.get(), mtime_of(entry)));
  }
  return {};
}

Status check_leads_to_no_directory(const std::string& path) {
  if (!sys::open(path, O_PATH | O_DIRECTORY)) return {};
  return fail(ErrorCode::kConflict,
              cat("\"", printable(path), "\" is a symbolic link to a directory: nothing is written through links"),
              "put a slash behind it if that directory is meant, or remove the link");
}

// Where a path leads whose last component is no directory, or is not there.
Result<CopyTarget> target_by_name(const std::string& path, EndLink link) {
  const bool slash_behind = path.ends_with('/');
  std::string plain = path;
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  // A link to a file stands for that file. Or else it keeps its name, which a rename takes over.
  const auto info = sys::lstat(plain);
  if (info && S_ISLNK(info->st_mode) && (link == EndLink::kFollow || slash_behind)) {
    auto real = sys::realpath(plain);
    if (!real) {
      return fail(ErrorCode::kConflict, cat("\"", printable(plain), "\" is a symbolic link to nothing"), "remove it");
    }
    plain = std::move(*real);
  }
  CopyTarget target;
  target.as = std::string(name_of(plain));
  target.must_be_directory = slash_behind;
  if (target.as == "." || target.as == ".." || target.as.empty()) {
    return fail(ErrorCode::kNotFound, cat("there is no directory \"", printable(path), "\""));
  }
  const auto slash = plain.rfind('/');
  const std::string above = slash == std::string::npos ? "." : plain.substr(0, slash + 1);
  auto opened = sys::open(above, O_PATH | O_DIRECTORY);
  if (!opened && opened.error().sys_errno == ENOENT) {
    return fail(ErrorCode::kNotFound, cat("there is no directory \"", printable(above), "\""), "make it first");
  }
  target.directory = TRY(std::move(opened));
  return target;
}

}  // namespace

// ENOTDIR for a link, too, when it is not followed; with a slash behind it it is, whatever the flags
// (path_resolution(7)).
Result<CopyTarget> open_copy_target(const std::string& path, const std::string& top, EndLink link) {
  const int flags = O_PATH | O_DIRECTORY | (link == EndLink::kReplace ? O_NOFOLLOW : 0);
  auto opened = sys::open(path, flags);
  if (!opened && (opened.error().sys_errno == ENOENT || opened.error().sys_errno == ENOTDIR)) {
    if (opened.error().sys_errno == ENOTDIR && link == EndLink::kReplace) TRY(check_leads_to_no_directory(path));
    if (top != ".") return target_by_name(path, link);
    if (opened.error().sys_errno == ENOENT) {
      TRY(sys::mkdir(path, kImpliedMode));
      opened = sys::open(path, flags);
    }
  }
  CopyTarget target;
  target.directory = TRY(std::move(opened));
  return target;
}

Result<Unpacked> unpack_tree(TarReader& reader, int directory, const UnpackOptions& options) {
  return Unpacker(directory, options).run(reader);
}

}  // namespace skerry
