// What the parts of ImageStore (store.cc, store_pull.cc, store_archive.cc) share. Included by them only.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/temp_dir.h"
#include "image/artifact_store.h"
#include "image/blob_store.h"
#include "image/disk_store.h"
#include "image/image_index.h"
#include "image/layer_store.h"
#include "image/store.h"
#include "wire/oci_image_json.h"

namespace skerry {

struct ImageStore::State {
  State(ImageStoreConfig with, Fd locked, BlobStore files, ImageIndex names)
      : config(std::move(with)), lock(std::move(locked)), blobs(std::move(files)), index(std::move(names)) {}

  ImageStoreConfig config;
  Fd lock;
  BlobStore blobs;
  // Guards `index` and the moment blobs come and go. Never held while anything is fetched, hashed or unpacked.
  mutable std::mutex mutex;
  ImageIndex index;
  std::unique_ptr<LayerStore> layers;
  std::unique_ptr<DiskStore> disks;
  std::unique_ptr<ArtifactStore> artifacts;

  [[nodiscard]] std::string staging_dir() const { return config.dir + "/staging"; }
  Result<TempDir> stage() const { return TempDir::create("work", staging_dir()); }

  // The image that an entry names, read from the blobs. The lock need not be held.
  Result<Image> describe(const IndexEntry& entry) const;
  Result<const IndexEntry*> entry_of(std::string_view name_or_id) const;  // lock held
  // Removes everything that the index does not reach. Lock held.
  Status collect(RemovedImages& removed);
  // Verifies the blobs of a manifest in "<staging>/<hex>" and takes the image into the store under `name` (which may be
  // empty). Only blobs missing from the store need to be there.
  Result<Image> ingest(const std::string& staging, std::string_view manifest_bytes, const std::string& name,
                       const Work& work);
};

// A manifest and its configuration as a value. kCorrupt when they do not belong together, kUnsupported when the image
// is for another kind of machine.
Result<Image> image_of(const wire::OciManifest& manifest, const Digest& manifest_digest, std::uint64_t manifest_size,
                       std::string_view config_bytes);
// Go's name of this machine's architecture, as platforms are written in indexes.
std::string_view host_architecture();

}  // namespace skerry
