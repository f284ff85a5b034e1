#include "image/disk_store.h"

#include <fcntl.h>

#include <filesystem>
#include <memory>
#include <set>

#include "base/crash_point.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "image/chain_id.h"
#include "image/layer_disk.h"
#include "image/layer_store.h"

namespace skerry {
namespace {

constexpr std::string_view kTemporaryPrefix = "tmp-";

// The layout version is part of the name: a newer Skerry that writes other bytes does not reuse old disks.
std::string disk_name(const Digest& chain) { return cat(cache_name(chain), ".", kLayerDiskVersion, ".erofs"); }

std::string without_suffix(const std::string& name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

}  // namespace

Result<std::unique_ptr<DiskStore>> DiskStore::open(std::string dir, const BlobStore& blobs, const LayerLimits& limits) {
  TRY(sys::mkdir_all(dir, 0700));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    if (entry.path().filename().string().starts_with(kTemporaryPrefix)) TRY(sys::remove_tree(entry.path()));
  }
  if (error) return fail(Error::from_errno(error.value(), cat("list ", dir)));
  return std::unique_ptr<DiskStore>(new DiskStore(std::move(dir), blobs, limits));
}

Result<std::string> DiskStore::base_disk(const std::vector<ImageLayer>& layers, const Work& work) {
  const Digest chain = chain_id(layers);
  std::string path = cat(dir_, "/", disk_name(chain));
  const SingleFlight::Turn turn(flights_, chain.hex());
  if (TRY(disks_.intact(path))) return path;
  const TempDir making = TRY(TempDir::create(std::string(kTemporaryPrefix), dir_));
  const std::string temporary = making / "disk";
  {
    const Fd disk = TRY(sys::open(temporary, O_RDWR | O_CREAT | O_EXCL, 0400));
    TRY(write_layer_disk(layers, *blobs_, disk.get(), limits_, work));
  }
  TRY(disks_.keep(temporary, path));
  crash_point("an image's disk is made");
  return path;
}

Status DiskStore::keep_only(const std::vector<std::vector<ImageLayer>>& images) {
  std::set<std::string> keep;
  for (const auto& layers : images) keep.insert(disk_name(chain_id(layers)));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir_, error)) {
    const auto name = entry.path().filename().string();
    // A checksum stays with its disk, and goes with it: also one whose disk a crash kept from coming.
    const auto disk = without_suffix(name, MadeFiles::kSuffix);
    // What is being made right now has a temporary name and is left alone.
    if (disk.starts_with(kTemporaryPrefix) || keep.contains(disk)) continue;
    TRY(disks_.remove(cat(dir_, "/", disk)));
  }
  if (error) return fail(Error::from_errno(error.value(), cat("list ", dir_)));
  return {};
}

}  // namespace skerry
