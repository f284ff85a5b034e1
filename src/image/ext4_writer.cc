#include "image/ext4_writer.h"

#include <ext2fs/ext2fs.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <unordered_map>

#include "base/process.h"
#include "base/text.h"
#include "image/tree_tar.h"

namespace skerry {
namespace {

using Kind = LayerEntry::Kind;

constexpr std::uint64_t kBlockSize = 4096;
constexpr std::uint64_t kInodeSize = 256;
constexpr std::uint64_t kJournalMib = 4;
// Every time stamp that is not a file's own. Not 0: libext2fs takes that for "now".
constexpr std::uint32_t kFixedTime = 1;

// All named: what mke2fs.conf says differs between hosts. Everything here is known to Linux 4.x and later.
constexpr const char* kFeatures =
    "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,"
    "extra_isize,metadata_csum";

std::uint64_t blocks_for(std::uint64_t bytes) { return (bytes + kBlockSize - 1) / kBlockSize; }

struct Needs {
  std::uint64_t blocks = 0;
  std::uint64_t inodes = 0;
};

void count(const MergedTree::Node& node, Needs& needs, std::unordered_map<const Inode*, bool>& seen) {
  if (!seen.try_emplace(node.inode, true).second) return;
  const Inode& inode = *node.inode;
  ++needs.inodes;
  if (!inode.xattrs.empty()) ++needs.blocks;
  if (inode.kind == Kind::kSymlink)
    needs.blocks += inode.link_target.size() >= 60 ? 1 : 0;  // shorter ones fit the inode
  // Extent blocks: one for four extents and more; content is contiguous, so this is generous.
  if (inode.kind == Kind::kFile) needs.blocks += blocks_for(inode.size) + inode.size / (64U << 20U);
  if (inode.kind != Kind::kDirectory) return;
  std::uint64_t listing = 64;
  for (const auto& [name, child] : node.children) {
    listing += 8 + (name.size() + 3) / 4 * 4;
    count(*child, needs, seen);
  }
  // An entry does not cross a block: at most 263 bytes are lost in each.
  needs.blocks += listing / (kBlockSize - 300) + 1;
}

std::string uuid_text(const std::array<std::uint8_t, 16>& uuid) {
  const std::string hex = to_hex({reinterpret_cast<const char*>(uuid.data()), uuid.size()});
  return cat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-", hex.substr(16, 4), "-",
             hex.substr(20));
}

Status make_empty(const std::string& path, const Needs& needs, std::uint32_t free_mib, const std::string& uuid) {
  // The kernel reserves the first ten inodes; lost+found is the eleventh.
  const std::uint64_t inodes = needs.inodes + 16 + needs.inodes / 50;
  const std::uint64_t content = needs.blocks + needs.blocks / 50 + blocks_for(inodes * kInodeSize) +
                                (kJournalMib << 20U) / kBlockSize + 64 + (std::uint64_t{free_mib} << 20U) / kBlockSize;
  // Each group of 32768 blocks holds two bitmaps, and some hold a copy of the super block and the descriptors.
  // Below 16 MiB mke2fs finds the journal too large.
  const std::uint64_t blocks = std::max<std::uint64_t>(4096, content + (content / 32768 + 1) * 8);
  SpawnSpec spec;
  spec.argv = {"mke2fs",
               "-q",
               "-F",
               "-t",
               "ext4",
               "-b",
               cat(kBlockSize),
               "-I",
               cat(kInodeSize),
               "-N",
               cat(inodes),
               "-m",
               "0",
               "-U",
               uuid,
               "-J",
               cat("size=", kJournalMib),
               "-O",
               kFeatures,
               "-E",
               cat("hash_seed=", uuid, ",root_owner=0:0,nodiscard,lazy_itable_init=0,lazy_journal_init=0"),
               path,
               cat(blocks)};
  spec.env = std::vector<std::string>{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "MKE2FS_CONFIG=/dev/null",
                                      cat("E2FSPROGS_FAKE_TIME=", kFixedTime)};
  auto made = run_command(spec, std::chrono::minutes(10));
  if (!made && made.error().code == ErrorCode::kCommandNotFound) {
    return fail(ErrorCode::kUnsupported, "mke2fs is not installed", "apt install e2fsprogs");
  }
  const auto output = TRY(std::move(made));
  if (output.status.success()) return {};
  const bool full = output.err.find("No space left") != std::string::npos;
  return fail(full ? ErrorCode::kResourceExhausted : ErrorCode::kIo, cat("mke2fs: ", trim(output.err)));
}

class Ext4 {
 public:
  Ext4(int content_fd, const Work& work) : content_fd_(content_fd), work_(work) {}
  Ext4(const Ext4&) = delete;
  Ext4& operator=(const Ext4&) = delete;
  ~Ext4() {
    if (fs_ != nullptr) ::ext2fs_free(fs_);
  }

  Status fill(const std::string& path, const MergedTree& tree);

 private:
  static Status check(errcode_t code, std::string_view step, std::string_view path) {
    if (code == 0) return {};
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "libext2fs error %ld", static_cast<long>(code));
    const bool full = code == EXT2_ET_BLOCK_ALLOC_FAIL || code == EXT2_ET_INODE_ALLOC_FAIL || code == ENOSPC;
    return fail(full ? ErrorCode::kResourceExhausted : ErrorCode::kIo,
                cat("ext4: ", step, " /", path, ": ",
                    code < 256 ? Error::from_errno(static_cast<int>(code), "").message() : std::string(text.data())));
  }

  Status fill_directory(const MergedTree::Node& node, ext2_ino_t number, const std::string& path);
  Result<ext2_ino_t> make(const MergedTree::Node& node, ext2_ino_t parent, const std::string& name,
                          const std::string& path);
  Result<ext2_ino_t> make_directory(ext2_ino_t parent, const std::string& name, const std::string& path);
  Result<ext2_ino_t> make_symlink(const Inode& inode, ext2_ino_t parent, const std::string& name,
                                  const std::string& path);
  Result<ext2_ino_t> make_plain(const Inode& inode, ext2_ino_t parent, const std::string& name,
                                const std::string& path);
  Status write_content(const Inode& inode, ext2_ino_t number, const std::string& path);
  Status link(ext2_ino_t parent, const std::string& name, ext2_ino_t number, int type, const std::string& path);
  Status describe(const Inode& inode, ext2_ino_t number, const std::string& path);

  int content_fd_;
  const Work& work_;
  ext2_filsys fs_ = nullptr;
  std::unordered_map<const Inode*, ext2_ino_t> numbers_;
};

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

int directory_type(Kind kind) {
  switch (kind) {
    case Kind::kSymlink: return EXT2_FT_SYMLINK;
    case Kind::kCharDevice: return EXT2_FT_CHRDEV;
    case Kind::kBlockDevice: return EXT2_FT_BLKDEV;
    case Kind::kFifo: return EXT2_FT_FIFO;
    default: return EXT2_FT_REG_FILE;
  }
}

Status Ext4::link(ext2_ino_t parent, const std::string& name, ext2_ino_t number, int type, const std::string& path) {
  errcode_t code = ::ext2fs_link(fs_, parent, name.c_str(), number, type);
  if (code == EXT2_ET_DIR_NO_SPACE) {
    TRY(check(::ext2fs_expand_dir(fs_, parent), "grow the directory of", path));
    code = ::ext2fs_link(fs_, parent, name.c_str(), number, type);
  }
  return check(code, "link", path);
}

Result<ext2_ino_t> Ext4::make_directory(ext2_ino_t parent, const std::string& name, const std::string& path) {
  ext2_ino_t number = 0;
  TRY(check(::ext2fs_new_inode(fs_, parent, S_IFDIR, nullptr, &number), "new inode for", path));
  errcode_t code = ::ext2fs_mkdir(fs_, parent, number, name.c_str());
  if (code == EXT2_ET_DIR_NO_SPACE) {
    TRY(check(::ext2fs_expand_dir(fs_, parent), "grow the directory of", path));
    code = ::ext2fs_mkdir(fs_, parent, number, name.c_str());
  }
  TRY(check(code, "mkdir", path));
  return number;
}

Result<ext2_ino_t> Ext4::make_symlink(const Inode& inode, ext2_ino_t parent, const std::string& name,
                                      const std::string& path) {
  ext2_ino_t number = 0;
  TRY(check(::ext2fs_new_inode(fs_, parent, S_IFLNK, nullptr, &number), "new inode for", path));
  errcode_t code = ::ext2fs_symlink(fs_, parent, number, name.c_str(), inode.link_target.c_str());
  if (code == EXT2_ET_DIR_NO_SPACE) {
    TRY(check(::ext2fs_expand_dir(fs_, parent), "grow the directory of", path));
    code = ::ext2fs_symlink(fs_, parent, number, name.c_str(), inode.link_target.c_str());
  }
  TRY(check(code, "symlink", path));
  return number;
}

Result<ext2_ino_t> Ext4::make_plain(const Inode& inode, ext2_ino_t parent, const std::string& name,
                                    const std::string& path) {
  ext2_ino_t number = 0;
  TRY(check(::ext2fs_new_inode(fs_, parent, S_IFREG, nullptr, &number), "new inode for", path));
  TRY(link(parent, name, number, directory_type(inode.kind), path));
  ::ext2fs_inode_alloc_stats2(fs_, number, +1, 0);
  ext2_inode_large raw{};
  raw.i_mode = static_cast<__u16>(type_bits(inode.kind) | inode.mode);
  raw.i_links_count = static_cast<__u16>(inode.links);
  raw.i_extra_isize = sizeof(ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
  auto* const plain = reinterpret_cast<ext2_inode*>(&raw);
  if (inode.kind == Kind::kFile) {
    TRY(check(::ext2fs_inode_size_set(fs_, plain, static_cast<ext2_off64_t>(inode.size)), "size of", path));
    raw.i_flags |= EXT4_EXTENTS_FL;
    ext2_extent_handle_t extents = nullptr;
    TRY(check(::ext2fs_extent_open2(fs_, number, plain, &extents), "extents of", path));
    ::ext2fs_extent_free(extents);
  } else if (inode.kind != Kind::kFifo) {
    // Old and new encoding of device numbers, as the kernel's ext4_iget reads them.
    const bool is_old = inode.device_major < 256 && inode.device_minor < 256;
    if (is_old) {
      raw.i_block[0] = inode.device_major * 256 + inode.device_minor;
    } else {
      raw.i_block[1] =
          (inode.device_minor & 0xffU) | (inode.device_major << 8U) | ((inode.device_minor & ~0xffU) << 12U);
    }
  }
  TRY(check(::ext2fs_write_inode_full(fs_, number, plain, sizeof raw), "write the inode of", path));
  if (inode.kind == Kind::kFile && inode.size != 0) TRY(write_content(inode, number, path));
  return number;
}

Status Ext4::write_content(const Inode& inode, ext2_ino_t number, const std::string& path) {
  ext2_file_t file = nullptr;
  TRY(check(::ext2fs_file_open(fs_, number, EXT2_FILE_WRITE, &file), "open", path));
  auto written = read_tree_content(inode, content_fd_, [&](std::string_view bytes) -> Status {
    if (std::ranges::all_of(bytes, [](char byte) { return byte == 0; })) {
      // A hole: the size was set with the inode.
      return check(::ext2fs_file_llseek(file, bytes.size(), EXT2_SEEK_CUR, nullptr), "skip in", path);
    }
    while (!bytes.empty()) {
      unsigned put = 0;
      TRY(check(::ext2fs_file_write(file, bytes.data(), static_cast<unsigned>(bytes.size()), &put), "write", path));
      bytes.remove_prefix(put);
    }
    return {};
  });
  auto closed = check(::ext2fs_file_close(file), "close", path);
  return written ? closed : written;
}

// Owner, mode, times and attributes; last, because making the inode has set others.
Status Ext4::describe(const Inode& inode, ext2_ino_t number, const std::string& path) {
  if (!inode.xattrs.empty()) {
    ext2_xattr_handle* attributes = nullptr;
    TRY(check(::ext2fs_xattrs_open(fs_, number, &attributes), "attributes of", path));
    Status set;
    for (const auto& [name, value] : inode.xattrs) {
      if (set)
        set = check(::ext2fs_xattr_set(attributes, name.c_str(), value.data(), value.size()), "attribute of", path);
    }
    const auto closed = check(::ext2fs_xattrs_close(&attributes), "attributes of", path);
    TRY(std::move(set));
    TRY(closed);
  }
  ext2_inode_large raw{};
  auto* const plain = reinterpret_cast<ext2_inode*>(&raw);
  TRY(check(::ext2fs_read_inode_full(fs_, number, plain, sizeof raw), "read the inode of", path));
  raw.i_mode = static_cast<__u16>(type_bits(inode.kind) | inode.mode);
  raw.i_uid = static_cast<__u16>(inode.uid);
  raw.osd2.linux2.l_i_uid_high = static_cast<__u16>(inode.uid >> 16U);
  raw.i_gid = static_cast<__u16>(inode.gid);
  raw.osd2.linux2.l_i_gid_high = static_cast<__u16>(inode.gid >> 16U);
  const auto low = static_cast<__u32>(inode.mtime_s);
  // Two more bits of seconds, and the nanoseconds (Linux Documentation/filesystems/ext4/inodes.rst).
  const auto extra =
      static_cast<__u32>(((static_cast<std::uint64_t>(inode.mtime_s - static_cast<std::int32_t>(low)) >> 32U) & 3U) |
                         (inode.mtime_ns << 2U));
  raw.i_atime = raw.i_ctime = raw.i_mtime = low;
  raw.i_atime_extra = raw.i_ctime_extra = raw.i_mtime_extra = extra;
  raw.i_crtime = kFixedTime;
  raw.i_crtime_extra = 0;
  raw.i_extra_isize = sizeof(ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
  return check(::ext2fs_write_inode_full(fs_, number, plain, sizeof raw), "write the inode of", path);
}

Result<ext2_ino_t> Ext4::make(const MergedTree::Node& node, ext2_ino_t parent, const std::string& name,
                              const std::string& path) {
  switch (node.inode->kind) {
    case Kind::kDirectory: return make_directory(parent, name, path);
    case Kind::kSymlink: return make_symlink(*node.inode, parent, name, path);
    default: return make_plain(*node.inode, parent, name, path);
  }
}

Status Ext4::fill_directory(const MergedTree::Node& node, ext2_ino_t number, const std::string& path) {
  for (const auto& [name, child] : node.children) {
    TRY(work_.check());
    const std::string child_path = path.empty() ? name : cat(path, "/", name);
    if (const auto known = numbers_.find(child->inode); known != numbers_.end()) {
      TRY(link(number, name, known->second, directory_type(child->inode->kind), child_path));
      continue;
    }
    // lost+found is there already.
    ext2_ino_t made = 0;
    const bool is_directory = child->inode->kind == Kind::kDirectory;
    const bool exists = ::ext2fs_lookup(fs_, number, name.c_str(), static_cast<int>(name.size()), nullptr, &made) == 0;
    if (exists && !is_directory)
      return fail(ErrorCode::kUnsupported, cat("ext4: /", child_path, " is not a directory"));
    if (!exists) made = TRY(make(*child, number, name, child_path));
    numbers_.emplace(child->inode, made);
    if (is_directory) TRY(fill_directory(*child, made, child_path));
    TRY(describe(*child->inode, made, child_path));
  }
  return {};
}

Status Ext4::fill(const std::string& path, const MergedTree& tree) {
  TRY(check(::ext2fs_open(path.c_str(), EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs_), "open", ""));
  fs_->now = kFixedTime;
  TRY(check(::ext2fs_read_bitmaps(fs_), "read the bitmaps of", ""));
  TRY(fill_directory(tree.root(), EXT2_ROOT_INO, ""));
  TRY(describe(*tree.root().inode, EXT2_ROOT_INO, ""));
  ext2_filsys const done = std::exchange(fs_, nullptr);
  return check(::ext2fs_close(done), "finish", "");
}

}  // namespace

Status write_ext4(const MergedTree& tree, int content_fd, const std::string& path, std::uint32_t free_mib,
                  const std::array<std::uint8_t, 16>& uuid, const Work& work) {
  Needs needs;
  std::unordered_map<const Inode*, bool> seen;
  count(tree.root(), needs, seen);
  TRY(make_empty(path, needs, free_mib, uuid_text(uuid)));
  return Ext4(content_fd, work).fill(path, tree);
}

}  // namespace skerry
