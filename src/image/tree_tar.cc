#include "image/tree_tar.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <vector>

#include "archive/utf8_scope.h"
#include "base/text.h"
#include "image/erofs_format.h"

namespace skerry {
namespace {

using Kind = LayerEntry::Kind;

class TreeTar {
 public:
  TreeTar(archive* tar, int content_fd, TarTimes times, const Work& work)
      : tar_(tar), content_fd_(content_fd), times_(times), work_(work) {}

  Status add(const MergedTree::Node& node, const std::string& path) {
    TRY(work_.check());
    TRY(add_inode(*node.inode, path));
    for (const auto& [name, child] : node.children) TRY(add(*child, cat(path, "/", name)));
    return {};
  }

 private:
  std::unexpected<Error> error(const std::string& path) const {
    const char* why = ::archive_error_string(tar_);
    return fail(ErrorCode::kIo, cat("write tar entry ", path, ": ", why == nullptr ? "failed" : why));
  }

  Status add_inode(const Inode& inode, const std::string& path) {
    const std::unique_ptr<archive_entry, decltype(&::archive_entry_free)> entry(::archive_entry_new(),
                                                                                &::archive_entry_free);
    ::archive_entry_set_pathname(entry.get(), path.c_str());
    ::archive_entry_set_filetype(entry.get(), file_type_bits(inode.kind));
    ::archive_entry_set_perm(entry.get(), inode.mode);
    ::archive_entry_set_uid(entry.get(), inode.uid);
    ::archive_entry_set_gid(entry.get(), inode.gid);
    if (times_ == TarTimes::kExact) {
      ::archive_entry_set_mtime(entry.get(), inode.mtime_s, static_cast<long>(inode.mtime_ns));
    } else {
      // From the highest on, libarchive writes the time in a form that sqfstar does not read.
      constexpr std::int64_t kLatest = std::numeric_limits<std::int32_t>::max() - 1;
      ::archive_entry_set_mtime(entry.get(), std::clamp<std::int64_t>(inode.mtime_s, 0, kLatest), 0);
    }
    ::archive_entry_set_rdevmajor(entry.get(), inode.device_major);
    ::archive_entry_set_rdevminor(entry.get(), inode.device_minor);
    if (inode.kind == Kind::kSymlink) ::archive_entry_set_symlink(entry.get(), inode.link_target.c_str());
    for (const auto& [name, value] : inode.xattrs) {
      ::archive_entry_xattr_add_entry(entry.get(), name.c_str(), value.data(), value.size());
    }
    const auto [first, is_new] = first_path_.try_emplace(&inode, path);
    const bool is_link = inode.kind != Kind::kDirectory && !is_new;
    if (is_link) ::archive_entry_set_hardlink(entry.get(), first->second.c_str());
    const bool has_content = inode.kind == Kind::kFile && !is_link;
    ::archive_entry_set_size(entry.get(), has_content ? static_cast<la_int64_t>(inode.size) : 0);
    if (::archive_write_header(tar_, entry.get()) != ARCHIVE_OK) return error(path);
    if (!has_content) return {};
    return read_tree_content(inode, content_fd_, [&](std::string_view bytes) -> Status {
      if (::archive_write_data(tar_, bytes.data(), bytes.size()) == static_cast<la_ssize_t>(bytes.size())) return {};
      return error(path);
    });
  }

  archive* tar_;
  int content_fd_;
  TarTimes times_;
  const Work& work_;
  std::unordered_map<const Inode*, std::string> first_path_;
};

}  // namespace

Status read_tree_content(const Inode& inode, int content_fd, const TreeContentSink& sink) {
  std::vector<char> buffer(256U << 10U);
  const std::uint64_t start = inode.content * erofs::kBlockSize;
  for (std::uint64_t at = 0; at < inode.size;) {
    const auto want = std::min<std::uint64_t>(buffer.size(), inode.size - at);
    const auto got = ::pread(content_fd, buffer.data(), want, static_cast<off_t>(start + at));
    if (got < 0) return fail_errno("read file content");
    if (got == 0) return fail(ErrorCode::kInternal, "the content file is too short");
    TRY(sink({buffer.data(), static_cast<std::size_t>(got)}));
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

Status write_tree_tar(const MergedTree& tree, int content_fd, int tar_fd, TarTimes times, const Work& work) {
  const std::unique_ptr<archive, decltype(&::archive_write_free)> tar(::archive_write_new(), &::archive_write_free);
  ::archive_write_set_format_pax(tar.get());
  // One spelling of attributes, the one every reader knows.
  ::archive_write_set_options(tar.get(), "pax:xattrheader=SCHILY");
  const Utf8Scope utf8;
  if (::archive_write_open_fd(tar.get(), tar_fd) != ARCHIVE_OK) return fail(ErrorCode::kIo, "start writing a tar");
  TRY(TreeTar(tar.get(), content_fd, times, work).add(tree.root(), "."));
  if (::archive_write_close(tar.get()) != ARCHIVE_OK) return fail(ErrorCode::kIo, "finish the tar");
  return {};
}

}  // namespace skerry
