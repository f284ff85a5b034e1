// How images come into the store: from a registry, or from blobs that somebody else has staged.

#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/sha256.h"
#include "image/store_state.h"

namespace skerry {
namespace {

struct ResolvedManifest {
  std::string bytes;
  wire::OciManifest manifest;
  Digest digest;
};

Status check_digest(std::string_view bytes, const Digest& wanted, const ImageReference& reference) {
  const Digest found = sha256_of(bytes);
  if (found == wanted) return {};
  return fail(ErrorCode::kCorrupt, cat("pull ", reference.text(), ": registry ", reference.registry,
                                       " sent a manifest with the digest ", found.text(), " for ", wanted.text()));
}

Result<wire::OciDescriptor> choose_platform(const wire::OciIndex& index, const ImageReference& reference) {
  const auto fits = [](const wire::OciDescriptor& manifest) {
    return manifest.platform && manifest.platform->os == "linux" &&
           manifest.platform->architecture == host_architecture();
  };
  const auto found = std::ranges::find_if(index.manifests, fits);
  if (found != index.manifests.end()) return *found;
  return fail(ErrorCode::kUnsupported,
              cat("pull ", reference.text(), ": the image does not exist for linux/", host_architecture()));
}

// Asks the registry what the reference means, down to one image manifest for this machine.
Result<ResolvedManifest> resolve(const ImageReference& reference, const RegistryOptions& options, const Work& work) {
  work.report("resolving");
  ResolvedManifest out;
  out.bytes = TRY(fetch_manifest(reference, options, work));
  if (reference.digest) TRY(check_digest(out.bytes, *reference.digest, reference));
  const std::string subject = cat("pull ", reference.text());
  if (TRY_IN(subject, wire::oci_document_kind(out.bytes)) == wire::OciDocumentKind::kIndex) {
    const auto index = TRY_IN(subject, wire::parse_oci_index(out.bytes));
    const auto chosen = TRY(choose_platform(index, reference));
    ImageReference exact = reference;
    exact.digest = chosen.digest;
    out.bytes = TRY(fetch_manifest(exact, options, work));
    TRY(check_digest(out.bytes, chosen.digest, reference));
  }
  out.manifest = TRY_IN(subject, wire::parse_oci_manifest(out.bytes));
  out.digest = sha256_of(out.bytes);
  return out;
}

std::vector<wire::OciDescriptor> blobs_of(const wire::OciManifest& manifest) {
  std::vector<wire::OciDescriptor> out{manifest.config};
  std::set<Digest> seen{manifest.config.digest};
  for (const auto& layer : manifest.layers) {
    if (seen.insert(layer.digest).second) out.push_back(layer);
  }
  return out;
}

// Links blobs that the store has into the staging directory: they stay ours even when the store drops them meanwhile.
void link_present(const BlobStore& blobs, const wire::OciManifest& manifest, const std::string& staging) {
  for (const auto& blob : blobs_of(manifest)) {
    // A failure only means that the blob is fetched (or missed, with its own error) later.
    std::ignore = ::link(blobs.path(blob.digest).c_str(), cat(staging, "/", blob.digest.hex()).c_str());
  }
}

}  // namespace

Result<Image> ImageStore::State::ingest(const std::string& staging, std::string_view manifest_bytes,
                                        const std::string& name, const Work& work) {
  const auto manifest = TRY(wire::parse_oci_manifest(manifest_bytes));
  const Digest digest = sha256_of(manifest_bytes);
  const auto wanted = blobs_of(manifest);
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  for (const auto& blob : wanted) total += blob.size;
  for (const auto& blob : wanted) {
    TRY(work.check());
    work.report("verifying", done, total);
    TRY(BlobStore::verify(cat(staging, "/", blob.digest.hex()), blob.digest, blob.size));
    done += blob.size;
  }
  const auto config_bytes = TRY(read_file(cat(staging, "/", manifest.config.digest.hex()), wire::kMaxImageConfigBytes));
  Image image = TRY(image_of(manifest, digest, manifest_bytes.size(), config_bytes));
  image.name = name;

  const std::scoped_lock guard(mutex);
  for (const auto& blob : wanted) {
    if (!blobs.has(blob.digest)) TRY(blobs.adopt(cat(staging, "/", blob.digest.hex()), blob.digest));
  }
  TRY(blobs.put(manifest_bytes, staging));
  const std::string type(manifest.media_type.empty() ? wire::kMediaTypeOciManifest : manifest.media_type);
  TRY(index.set({name, type, digest, manifest_bytes.size()}));
  return image;
}

Result<Image> ImageStore::pull(const ImageReference& reference, const RegistryOptions& options, const Work& work) {
  const auto resolved = TRY(resolve(reference, options, work));
  const auto wanted = blobs_of(resolved.manifest);
  const TempDir staging = TRY(state_->stage());
  std::uint64_t missing_bytes = 0;
  bool all_present = true;
  for (const auto& blob : wanted) {
    if (state_->blobs.has(blob.digest)) continue;
    all_present = false;
    missing_bytes += blob.size;
  }
  // skopeo can leave out single blobs only when it writes an OCI layout, and that only from an OCI manifest.
  const bool is_oci = resolved.manifest.config.media_type == wire::kMediaTypeOciConfig;
  if (is_oci || all_present) link_present(state_->blobs, resolved.manifest, staging.path());
  if (!all_present) {
    work.report("downloading", 0, missing_bytes);
    TRY(fetch_blobs(reference, resolved.digest, is_oci ? BlobReuse::kPresent : BlobReuse::kNone, staging.path(),
                    missing_bytes, options, work));
    crash_point("an image's blobs are fetched");
  }
  return annotate(state_->ingest(staging.path(), resolved.bytes, reference.text(), work),
                  cat("pull ", reference.text()));
}

}  // namespace skerry
