#include "image/layer_store.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <ranges>

#include "base/crash_point.h"
#include "base/rollback.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "image/chain_id.h"
#include "image/layer_unpack.h"

namespace skerry {
namespace {

constexpr std::string_view kTemporaryPrefix = "tmp-";

Result<Fd> open_inside(int root, const std::string& path) {
  return sys::openat2(root, path.empty() ? "." : path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

Status copy_xattrs(int from, int to) {
  std::string names(64U << 10U, '\0');
  const auto size = ::flistxattr(from, names.data(), names.size());
  if (size < 0) return fail_errno("flistxattr");
  names.resize(static_cast<std::size_t>(size));
  for (const auto name : split(names, '\0')) {
    if (name.empty() || name.starts_with("trusted.overlay.") || name == "security.selinux") continue;
    std::string value(64U << 10U, '\0');
    const auto got = ::fgetxattr(from, std::string(name).c_str(), value.data(), value.size());
    if (got < 0) return fail_errno(cat("fgetxattr ", name));
    TRY(sys::fsetxattr(to, std::string(name), std::string_view(value).substr(0, static_cast<std::size_t>(got))));
  }
  return {};
}

// Gives an implied directory the owner, mode, attributes and time it has in the highest layer below that has it.
Status inherit_directory(int layer_root, const std::string& path, const std::vector<Fd>& below) {
  for (const auto& lower : std::views::reverse(below)) {
    const auto from = open_inside(lower.get(), path);
    if (!from) {
      if (from.error().sys_errno == ENOENT) continue;
      break;  // a file, a symlink or a whiteout: what is below that does not show
    }
    const Fd to = TRY(open_inside(layer_root, path));
    const auto info = TRY(sys::fstat(from->get()));
    TRY(sys::fchown(to.get(), info.st_uid, info.st_gid));
    TRY(sys::fchmod(to.get(), info.st_mode & 07777U));
    TRY(copy_xattrs(from->get(), to.get()));
    return sys::futimens(to.get(), info.st_mtim);
  }
  return {};
}

Status inherit_directories(int layer_root, const std::vector<std::string>& paths,
                           const std::vector<std::string>& below) {
  std::vector<Fd> roots;
  roots.reserve(below.size());
  for (const auto& dir : below) roots.push_back(TRY(sys::open(dir, O_RDONLY | O_DIRECTORY)));
  // Children first: setting a child's time must not be undone, and children do not touch their parents here.
  for (const auto& path : std::views::reverse(paths)) TRY(inherit_directory(layer_root, path, roots));
  return {};
}

}  // namespace

std::string cache_name(const Digest& id) {
  constexpr std::size_t kDigits = 32;
  return id.hex().substr(0, kDigits);
}

Result<std::unique_ptr<LayerStore>> LayerStore::open(std::string dir, const BlobStore& blobs,
                                                     const LayerLimits& limits) {
  TRY(sys::mkdir_all(dir, 0700));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    if (entry.path().filename().string().starts_with(kTemporaryPrefix)) TRY(sys::remove_tree(entry.path()));
  }
  if (error) return fail(Error::from_errno(error.value(), cat("list ", dir)));
  return std::unique_ptr<LayerStore>(new LayerStore(std::move(dir), blobs, limits));
}

Result<std::vector<std::string>> LayerStore::lower_directories(const std::vector<ImageLayer>& layers,
                                                               const Work& work) {
  const auto chains = chain_ids(layers);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    work.report(cat("unpacking layer ", i + 1, "/", layers.size()));
    const SingleFlight::Turn turn(flights_, layers[i].diff_id.hex());
    const std::string shared = cat(dir_, "/", cache_name(layers[i].diff_id));
    const std::string in_chain = cat(dir_, "/", cache_name(chains[i]));
    if (sys::exists(shared)) {
      out.push_back(shared);
    } else if (sys::exists(in_chain)) {
      out.push_back(in_chain);
    } else {
      out.push_back(TRY_IN(cat("layer ", layers[i].digest.text()), unpack(layers[i], chains[i], out, work)));
    }
  }
  return out;
}

Result<std::string> LayerStore::unpack(const ImageLayer& layer, const Digest& chain,
                                       const std::vector<std::string>& below, const Work& work) {
  const TempDir making = TRY(TempDir::create(std::string(kTemporaryPrefix), dir_));
  const std::string rootfs = making / "rootfs";
  TRY(sys::mkdir(rootfs, 0755));
  const Fd root = TRY(sys::open(rootfs, O_RDONLY | O_DIRECTORY));
  Fd blob = TRY(blobs_->open_blob(layer.digest));
  const auto unpacked = TRY(unpack_layer(std::move(blob), root.get(), limits_, work.cancelled));
  if (unpacked.diff_id != layer.diff_id) {
    return fail(ErrorCode::kCorrupt, cat("its content has the diff_id ", unpacked.diff_id.text(),
                                         "; the image configuration says ", layer.diff_id.text()));
  }
  const bool depends = !unpacked.implied_directories.empty() && !below.empty();
  if (depends) TRY(inherit_directories(root.get(), unpacked.implied_directories, below));
  std::string final_path = cat(dir_, "/", cache_name(depends ? chain : layer.diff_id));
  crash_point("a layer is unpacked under another name");
  TRY(sys::rename(rootfs, final_path));
  crash_point("a layer is unpacked");
  return final_path;
}

Status LayerStore::keep_only(const std::vector<std::vector<ImageLayer>>& images) {
  std::set<std::string> keep;
  for (const auto& layers : images) {
    for (const auto& layer : layers) keep.insert(cache_name(layer.diff_id));
    for (const auto& chain : chain_ids(layers)) keep.insert(cache_name(chain));
  }
  std::vector<std::string> unused;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir_, error)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(kTemporaryPrefix) && !keep.contains(name)) unused.push_back(name);
  }
  if (error) return fail(Error::from_errno(error.value(), cat("list ", dir_)));
  for (const auto& name : unused) {
    // Out of sight first: a layer that is half removed must not be found by its name.
    const std::string doomed = cat(dir_, "/", kTemporaryPrefix, "removed-", name);
    TRY(sys::rename(cat(dir_, "/", name), doomed));
    crash_point("a layer is out of sight");
    TRY(sys::remove_tree(doomed));
  }
  return {};
}

}  // namespace skerry
