#include "image/store.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/layer_disk.h"
#include "image/scratch.h"
#include "image/store_state.h"

namespace skerry {
namespace {

std::unexpected<Error> no_such_image(std::string_view name) {
  return fail(ErrorCode::kNotFound, cat("no image \"", name.substr(0, 200), "\""),
              cat("pull it with: skerry images pull ", name.substr(0, 200)));
}

Result<Fd> lock_store(const std::string& dir) {
  Fd lock = TRY(sys::open(cat(dir, "/lock"), O_RDWR | O_CREAT, 0600));
  if (const auto locked = sys::flock(lock.get(), sys::LockMode::kExclusive, sys::LockWait::kTry); !locked) {
    if (locked.error().code != ErrorCode::kConflict) return fail(locked.error());
    return fail(ErrorCode::kConflict, cat("the image store ", dir, " is open in another process"),
                "is another skerryd running with this state directory?");
  }
  return lock;
}

std::set<Digest> manifests_in(const ImageIndex& index) {
  std::set<Digest> out;
  for (const auto& entry : index.entries()) out.insert(entry.manifest);
  return out;
}

}  // namespace

std::string_view host_architecture() {
#if defined(__x86_64__)
  return "amd64";
#elif defined(__aarch64__)
  return "arm64";
#else
#error "name this architecture as Go does (GOARCH)"
#endif
}

ImageStore::ImageStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ImageStore::~ImageStore() = default;

Result<std::unique_ptr<ImageStore>> ImageStore::open(ImageStoreConfig config) {
  TRY(sys::mkdir_all(config.dir, 0700));
  TRY(sys::chmod(config.dir, 0700));
  Fd lock = TRY(lock_store(config.dir));
  TRY(remove_noted_scratches(cat(config.dir, "/staging")));
  TRY(sys::remove_tree(cat(config.dir, "/staging")));
  TRY(sys::mkdir(cat(config.dir, "/staging"), 0700));
  BlobStore blobs = TRY(BlobStore::open(config.dir));
  ImageIndex index = TRY(ImageIndex::open(config.dir));
  auto state = std::make_unique<State>(std::move(config), std::move(lock), std::move(blobs), std::move(index));
  state->layers = TRY(LayerStore::open(cat(state->config.dir, "/layers"), state->blobs, state->config.limits));
  state->disks = TRY(DiskStore::open(cat(state->config.dir, "/disks"), state->blobs, state->config.limits));
  state->artifacts = TRY(ArtifactStore::open(cat(state->config.dir, "/artifacts"), state->config.max_artifact_bytes));
  RemovedImages garbage;
  TRY(state->collect(garbage));
  if (garbage.freed_bytes != 0) log::info("image store: collected garbage", {{"bytes", cat(garbage.freed_bytes)}});
  return std::unique_ptr<ImageStore>(new ImageStore(std::move(state)));
}

Result<Image> image_of(const wire::OciManifest& manifest, const Digest& manifest_digest, std::uint64_t manifest_size,
                       std::string_view config_bytes) {
  auto config = TRY_IN("image configuration", wire::parse_oci_image_config(config_bytes));
  if (config.diff_ids.size() != manifest.layers.size()) {
    return fail(ErrorCode::kCorrupt, cat("the manifest has ", manifest.layers.size(), " layers, the configuration ",
                                         config.diff_ids.size()));
  }
  const auto& run = config.config;
  if ((!run.os.empty() && run.os != "linux") ||
      (!run.architecture.empty() && run.architecture != host_architecture())) {
    return fail(ErrorCode::kUnsupported, cat("the image is for ", run.os, "/", run.architecture,
                                             ", this machine is linux/", host_architecture()));
  }
  Image out;
  out.manifest_digest = manifest_digest;
  out.config_digest = manifest.config.digest;
  out.size = manifest_size + manifest.config.size;
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    const auto& layer = manifest.layers[i];
    const auto compression = TRY(wire::layer_compression(layer.media_type));
    out.layers.push_back({layer.digest, config.diff_ids[i], layer.size, compression});
    out.size += layer.size;
  }
  out.config = std::move(config.config);
  return out;
}

Result<Image> ImageStore::State::describe(const IndexEntry& entry) const {
  const auto manifest_bytes = TRY(blobs.read(entry.manifest, wire::kMaxManifestBytes));
  const auto manifest = TRY(wire::parse_oci_manifest(manifest_bytes));
  const auto config_bytes = TRY(blobs.read(manifest.config.digest, wire::kMaxImageConfigBytes));
  Image image = TRY(image_of(manifest, entry.manifest, manifest_bytes.size(), config_bytes));
  image.name = entry.name;
  return image;
}

Result<const IndexEntry*> ImageStore::State::entry_of(std::string_view name_or_id) const {
  const auto reference = ImageReference::parse(name_or_id);
  if (reference) {
    if (const auto* entry = index.by_name(reference->text())) return entry;
  }
  std::string_view hex = name_or_id;
  if (hex.starts_with("sha256:")) hex.remove_prefix(7);
  if (const auto* entry = TRY(index.by_digest_prefix(hex))) return entry;
  if (!reference && !Digest::parse(name_or_id)) return fail(reference.error());
  return no_such_image(name_or_id);
}

Result<Image> ImageStore::find(std::string_view name_or_id) const {
  IndexEntry entry;
  {
    const std::scoped_lock lock(state_->mutex);
    entry = *TRY(state_->entry_of(name_or_id));
  }
  return annotate(state_->describe(entry), cat("image ", name_or_id));
}

std::vector<Image> ImageStore::list() const {
  std::vector<IndexEntry> entries;
  {
    const std::scoped_lock lock(state_->mutex);
    entries = state_->index.entries();
  }
  std::ranges::sort(entries, {}, [](const IndexEntry& entry) { return std::pair(entry.name, entry.manifest); });
  std::vector<Image> out;
  for (const auto& entry : entries) {
    auto image = state_->describe(entry);
    if (image) {
      out.push_back(std::move(*image));
    } else {
      log::warning("image cannot be read", {{"name", entry.name}, {"error", image.error().message()}});
    }
  }
  return out;
}

Result<std::string> ImageStore::raw_config(const Image& image) const {
  return state_->blobs.read(image.config_digest, wire::kMaxImageConfigBytes);
}

Status ImageStore::tag(std::string_view name_or_id, const ImageReference& name) {
  const std::scoped_lock lock(state_->mutex);
  IndexEntry entry = *TRY(state_->entry_of(name_or_id));
  entry.name = name.text();
  return state_->index.set(std::move(entry));
}

Result<RemovedImages> ImageStore::remove(std::string_view name_or_id) {
  const std::scoped_lock lock(state_->mutex);
  const IndexEntry entry = *TRY(state_->entry_of(name_or_id));
  const auto reference = ImageReference::parse(name_or_id);
  RemovedImages removed;
  if (reference && reference->text() == entry.name) {
    TRY(state_->index.remove_name(entry.name));
    removed.names.push_back(entry.name);
  } else {
    for (const auto& other : state_->index.entries()) {
      if (other.manifest == entry.manifest && !other.name.empty()) removed.names.push_back(other.name);
    }
    TRY(state_->index.remove_manifests({entry.manifest}));
  }
  if (!manifests_in(state_->index).contains(entry.manifest)) removed.manifests.push_back(entry.manifest);
  TRY(state_->collect(removed));
  return removed;
}

Result<RemovedImages> ImageStore::prune(const std::vector<Digest>& in_use) {
  const std::scoped_lock lock(state_->mutex);
  RemovedImages removed;
  for (const auto& entry : state_->index.entries()) {
    if (entry.name.empty() && std::ranges::find(in_use, entry.manifest) == in_use.end()) {
      removed.manifests.push_back(entry.manifest);
    }
  }
  TRY(state_->index.remove_manifests(removed.manifests));
  TRY(state_->collect(removed));
  removed.freed_bytes += TRY(state_->artifacts->keep_only({in_use.begin(), in_use.end()}));
  return removed;
}

Status ImageStore::State::collect(RemovedImages& removed) {
  std::set<Digest> reachable;
  std::vector<std::vector<ImageLayer>> images;
  for (const auto& entry : index.entries()) {
    reachable.insert(entry.manifest);
    const auto image = describe(entry);
    if (!image) {
      // A damaged image keeps its name, so that people see it; what it used is fetched again when it is pulled.
      log::warning("image cannot be read", {{"name", entry.name}, {"error", image.error().message()}});
      continue;
    }
    reachable.insert(image->config_digest);
    for (const auto& layer : image->layers) reachable.insert(layer.digest);
    images.push_back(image->layers);
  }
  for (const auto& digest : TRY(blobs.list())) {
    if (reachable.contains(digest)) continue;
    removed.freed_bytes += static_cast<std::uint64_t>(TRY(sys::lstat(blobs.path(digest))).st_size);
    TRY(blobs.remove(digest));
  }
  TRY(layers->keep_only(images));
  return disks->keep_only(images);
}

Result<std::vector<std::string>> ImageStore::lower_directories(const Image& image, const Work& work) {
  return annotate(state_->layers->lower_directories(image.layers, work), cat("unpack image ", image.name));
}

Status ImageStore::merge(const Image& image, MergedTree& tree, ErofsWriter& writer, const Work& work) const {
  return annotate(merge_layers(image.layers, state_->blobs, state_->config.limits, work, tree, writer),
                  cat("image ", image.name));
}

Result<std::string> ImageStore::artifact(const Artifact& artifact, const Work& work) {
  return state_->artifacts->get(artifact, work);
}

Result<std::string> ImageStore::base_disk(const Image& image, const Work& work) {
  return annotate(state_->disks->base_disk(image.layers, work), cat("make the disk of image ", image.name));
}

}  // namespace skerry
