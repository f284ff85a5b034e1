#include "archive/tree_pack.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <vector>

#include "archive/entry_path.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/sys_tree.h"
#include "base/text.h"

namespace skerry {
namespace {

using Kind = TarEntry::Kind;

// Each level holds a descriptor.
constexpr std::size_t kMaxDepth = 500;
constexpr std::size_t kPiece = 256U << 10U;
// Files of /proc and /sys say that they are empty, and are not: read at once up to this.
constexpr std::size_t kMaxUnsized = 4U << 20U;
// Of one file; libarchive reads no pax header above 1 MiB.
constexpr std::size_t kMaxXattrBytes = 512U << 10U;

// Where a thing stands: its directory, its name in there, and its path in the archive.
struct Place {
  int directory;
  const std::string& name;
  const std::string& path;
  std::size_t depth;
  dev_t device = 0;  // of the directory, below the top
};

// What the kernel shows of itself: no files to be kept, and some without an end.
bool is_of_the_kernel(int directory) {
  struct statfs info{};
  if (::fstatfs(directory, &info) < 0) return false;
  switch (static_cast<unsigned long>(info.f_type)) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEVPTS_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case SECURITYFS_MAGIC:
    case BPF_FS_MAGIC: return true;
    default: return false;
  }
}

TarEntry entry_of(const struct stat& info, Kind kind, const std::string& path) {
  TarEntry entry;
  entry.kind = kind;
  entry.path = path == "." ? "" : path;
  entry.mode = info.st_mode & 07777U;
  entry.uid = info.st_uid;
  entry.gid = info.st_gid;
  entry.mtime_s = info.st_mtim.tv_sec;
  entry.mtime_ns = static_cast<std::uint32_t>(info.st_mtim.tv_nsec);
  return entry;
}

// No program that reads tars reads another one differently.
bool is_plain_name(std::string_view name) {
  return std::ranges::all_of(name, [](char byte) { return byte > ' ' && byte < 0x7f && byte != '%' && byte != '='; });
}

// What is in no hole of the file.
Result<std::vector<FileExtent>> pieces_of(int file, std::uint64_t size, std::size_t most) {
  std::vector<FileExtent> pieces;
  std::uint64_t at = 0;
  while (const auto data = TRY(next_data(file, at))) {
    if (data->offset >= size) break;  // it grew meanwhile
    const bool is_last = pieces.size() + 1 == most;
    const auto length = is_last ? size - data->offset : std::min(data->length, size - data->offset);
    pieces.push_back({data->offset, length});
    at = data->offset + length;
  }
  return pieces;
}

class Packer {
 public:
  Packer(TarWriter& writer, const PackOptions& options) : writer_(writer), options_(options) {}

  Status add(const Place& place) {
    const auto info = sys::lstatat(place.directory, place.name);
    if (!info && info.error().sys_errno == ENOENT) {
      if (place.depth > 0) return {};  // removed meanwhile
      return fail(ErrorCode::kNotFound, "there is no such file or directory");
    }
    if (!info) return fail(Error(info.error()));
    switch (info->st_mode & S_IFMT) {
      case S_IFDIR: return add_directory(place);
      case S_IFREG: return add_file(place);
      case S_IFLNK: return add_link(place, *info);
      default: note(place, "is a device, a pipe or a socket"); return {};
    }
  }

 private:
  void note(const Place& place, std::string_view what) const {
    if (options_.note) options_.note(cat(printable(place.path), " ", what, ": left out"));
  }

  Status add_directory(const Place& place) {
    if (place.depth >= kMaxDepth) {
      return fail(ErrorCode::kResourceExhausted,
                  cat("\"", printable(place.path), "\" is more than ", kMaxDepth, " directories deep"));
    }
    const Fd directory = TRY(sys::openat(place.directory, place.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    const auto info = TRY(sys::fstat(directory.get()));
    if (place.depth > 0 && info.st_dev != place.device && is_of_the_kernel(directory.get())) {
      note(place, "is a file system of the kernel");
      return {};
    }
    TarEntry entry = entry_of(info, Kind::kDirectory, place.path);
    TRY(add_xattrs(place, directory.get(), entry));
    TRY(writer_.add(entry));
    for (const auto& name : TRY(sys::list_directory_at(directory.get()))) {
      const std::string path = place.path == "." ? name : cat(place.path, "/", name);
      TRY_IN(printable(path), add({directory.get(), name, path, place.depth + 1, info.st_dev}));
    }
    return {};
  }

  Status add_link(const Place& place, const struct stat& info) {
    TarEntry entry = entry_of(info, Kind::kSymlink, place.path);
    entry.link_target = TRY(sys::readlinkat(place.directory, place.name));
    return writer_.add(entry);
  }

  Status add_file(const Place& place) {
    // Without waiting: it may have become a pipe since it was looked at.
    const Fd file = TRY(sys::openat(place.directory, place.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    const auto info = TRY(sys::fstat(file.get()));
    if (!S_ISREG(info.st_mode)) {
      note(place, "is no longer a file");
      return {};
    }
    TarEntry entry = entry_of(info, Kind::kFile, place.path);
    if (info.st_nlink > 1) {
      const auto [first, is_new] = names_.try_emplace({info.st_dev, info.st_ino}, place.path);
      if (!is_new) {
        entry.kind = Kind::kHardLink;
        entry.link_target = first->second;
        return writer_.add(entry);
      }
    }
    TRY(add_xattrs(place, file.get(), entry));
    if (info.st_size == 0) return add_unsized(file.get(), std::move(entry));
    entry.size = static_cast<std::uint64_t>(info.st_size);
    constexpr std::uint64_t kBlock = 512;  // of st_blocks (stat(3type))
    if (options_.sparse && static_cast<std::uint64_t>(info.st_blocks) * kBlock < entry.size) {
      return add_sparse(file.get(), entry);
    }
    TRY(writer_.add(entry));
    return copy_content(file.get(), {0, entry.size});
  }

  Status add_sparse(int file, const TarEntry& entry) {
    const auto pieces = TRY(pieces_of(file, entry.size, options_.max_pieces));
    TRY(writer_.add_sparse(entry, pieces));
    std::uint64_t at = 0;
    for (const auto& piece : pieces) {
      TRY(writer_.write_zeros(piece.offset - at));
      TRY(copy_content(file, piece));
      at = piece.offset + piece.length;
    }
    return {};
  }

  Status add_xattrs(const Place& place, int file, TarEntry& entry) const {
    if (options_.xattrs == CopiedXattrs::kNone) return {};
    const auto names = sys::flistxattr(file);
    // Not every file system has any.
    if (!names && names.error().sys_errno == EOPNOTSUPP) return {};
    if (!names) return fail(Error(names.error()));
    std::size_t bytes = 0;
    for (const auto& name : *names) {
      if (!is_copied(options_.xattrs, name)) continue;
      auto value = sys::fgetxattr(file, name);
      if (!value && value.error().sys_errno == ENODATA) continue;  // removed meanwhile
      if (!value) return fail(std::move(value).error());
      bytes += name.size() + value->size();
      if (is_plain_name(name) && bytes <= kMaxXattrBytes) {
        entry.xattrs.emplace_back(name, std::move(*value));
      } else {
        note(place, cat("has an extended attribute that does not fit (", printable(name), ")"));
      }
    }
    return {};
  }

  Status add_unsized(int file, TarEntry entry) {
    const std::string content = TRY(sys::read_to_end(file, kMaxUnsized));
    entry.size = content.size();
    TRY(writer_.add(entry));
    return content.empty() ? Status{} : writer_.write(content);
  }

  // As many bytes as were announced: what is appended meanwhile belongs to another moment.
  Status copy_content(int file, FileExtent piece) {
    buffer_.resize(kPiece);
    while (piece.length > 0) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(piece.length, kPiece));
      const auto got = TRY(sys::pread(file, buffer_.data(), want, piece.offset));
      if (got == 0) {
        return fail(ErrorCode::kConflict, "it was cut short while it was copied", "copy it again when nobody writes");
      }
      TRY(writer_.write({buffer_.data(), got}));
      piece.offset += got;
      piece.length -= got;
    }
    return {};
  }

  TarWriter& writer_;
  const PackOptions& options_;
  std::vector<char> buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> names_;  // of files with several names: the first in the archive
};

std::string without_trailing_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

Result<std::string> name_of_top(const std::string& path) {
  const std::string plain = without_trailing_slashes(path);
  if (plain.empty()) return fail(ErrorCode::kInvalidArgument, "the path is empty");
  const std::string name(name_of(plain));
  if (name == "..") {
    return fail(ErrorCode::kInvalidArgument, cat("\"", printable(path), "\" ends in \"..\""), "name the directory");
  }
  return name.empty() ? "." : name;
}

Status pack_tree(const std::string& path, const PackOptions& options, const TarWriter::Sink& sink) {
  const std::string top = TRY(name_of_top(path));
  auto writer = TRY(TarWriter::open(sink));
  Packer packer(writer, options);
  std::string plain = without_trailing_slashes(path);
  // A slash behind a name asks for the directory, whatever leads there (path_resolution(7)).
  if (top != "." && (options.follow_top || plain != path)) {
    std::string real = TRY(sys::realpath(path));
    const Fd above = TRY(sys::open(cat(parent_of(real), "/"), O_PATH | O_DIRECTORY));
    const std::string name(name_of(real));
    TRY(packer.add({above.get(), name.empty() ? "." : name, top, 0}));
  } else {
    const auto slash = plain.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : plain.substr(0, slash + 1);
    const Fd above = TRY(sys::open(directory, O_PATH | O_DIRECTORY));
    TRY_IN(printable(path), packer.add({above.get(), top, top, 0}));
  }
  return writer.finish();
}

}  // namespace skerry
