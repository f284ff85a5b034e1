// Images as files: OCI archives out and in, docker archives and root file systems in.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/archive_file.h"
#include "image/layer_stream.h"
#include "image/sha256.h"
#include "image/store_state.h"

namespace skerry {
namespace {

constexpr std::string_view kBlobPrefix = "blobs/sha256/";
constexpr std::string_view kIndexFile = "index.json";
constexpr std::string_view kLayoutFile = "oci-layout";
constexpr std::string_view kDockerManifestFile = "manifest.json";

struct Archive {
  bool is_oci = false;
  bool is_docker = false;
  std::string index;            // content of index.json
  std::string docker_manifest;  // content of manifest.json
};

// Puts the blobs of an OCI archive into the staging directory and keeps its index.
Result<Archive> read_archive(const std::string& path, const std::string& staging, const Work& work) {
  // Blobs are packed already: an archive that grows much more than that is a bomb.
  constexpr std::uint64_t kMostGrowth = 20;
  constexpr std::uint64_t kAlwaysGood = 256U << 20U;
  const auto packed = static_cast<std::uint64_t>(TRY(sys::stat(path)).st_size);
  std::uint64_t left = std::max(kAlwaysGood, packed * kMostGrowth);
  Archive out;
  const auto take = [&](ArchiveFileReader::Entry& entry) -> Status {
    TRY(work.check());
    if (entry.name == kIndexFile) {
      out.index = TRY(entry.read(wire::kMaxManifestBytes));
    } else if (entry.name == kLayoutFile) {
      out.is_oci = true;
    } else if (entry.name == kDockerManifestFile) {
      out.is_docker = true;
      out.docker_manifest = TRY(entry.read(wire::kMaxManifestBytes));
    } else if (entry.name.starts_with(kBlobPrefix)) {
      const auto digest = Digest::from_hex(std::string_view(entry.name).substr(kBlobPrefix.size()));
      if (!digest) return {};
      if (entry.size > left) {
        return fail(ErrorCode::kResourceExhausted, cat("it unpacks to more than ", kMostGrowth, " times its size"));
      }
      left -= entry.size;
      const Fd file = TRY(sys::open(cat(staging, "/", digest->hex()), O_WRONLY | O_CREAT | O_TRUNC, 0600));
      TRY(entry.copy_to(file.get()));
    }
    return {};
  };
  TRY_IN(path, read_archive_file(path, take));
  return out;
}

// The one image of an archive: an index may lead to another index with one entry for this machine.
Result<std::string> manifest_in(std::string_view index_text, const std::string& staging, std::string& name) {
  constexpr int kMaxNesting = 4;
  std::string text(index_text);
  for (int level = 0; level < kMaxNesting; ++level) {
    const auto index = TRY(wire::parse_oci_index(text));
    const auto is_ours = [](const wire::OciDescriptor& manifest) {
      return !manifest.platform ||
             (manifest.platform->os == "linux" && manifest.platform->architecture == host_architecture());
    };
    const auto chosen = std::ranges::find_if(index.manifests, is_ours);
    if (chosen == index.manifests.end()) {
      return fail(ErrorCode::kUnsupported, cat("the archive holds no image for linux/", host_architecture()));
    }
    if (level == 0 && std::ranges::count_if(index.manifests, is_ours) > 1) {
      return fail(ErrorCode::kUnsupported, "the archive holds several images", "save them one by one");
    }
    const auto annotation = chosen->annotations.find(std::string(wire::kAnnotationRefName));
    if (name.empty() && annotation != chosen->annotations.end()) name = annotation->second;
    text = TRY(read_file(cat(staging, "/", chosen->digest.hex()), wire::kMaxManifestBytes));
    if (sha256_of(text) != chosen->digest) {
      return fail(ErrorCode::kCorrupt, cat("blob ", chosen->digest.text(), " does not have that digest"));
    }
    if (TRY(wire::oci_document_kind(text)) == wire::OciDocumentKind::kManifest) return text;
  }
  return fail(ErrorCode::kCorrupt, "the archive's indexes are nested too deep");
}

Result<std::string> name_for(const std::string& given, const std::string& carried) {
  const std::string& name = given.empty() ? carried : given;
  if (name.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the archive does not say what the image is called", "give it a name");
  }
  const auto reference = ImageReference::parse(name);
  if (!reference && given.empty()) {
    // Archives of "oci:dir:tag" carry a bare tag.
    return fail(ErrorCode::kInvalidArgument, cat("the archive calls the image \"", name, "\", which is no image name"),
                "give it a name");
  }
  if (!reference) return fail(reference.error());
  return reference->text();
}

}  // namespace

Status ImageStore::save(std::string_view name_or_id, const std::string& path, const Work& work) const {
  const Image image = TRY(find(name_or_id));
  const auto manifest_bytes = TRY(state_->blobs.read(image.manifest_digest, wire::kMaxManifestBytes));
  const auto manifest = TRY(wire::parse_oci_manifest(manifest_bytes));
  wire::OciIndex index;
  const std::string type(manifest.media_type.empty() ? wire::kMediaTypeOciManifest : manifest.media_type);
  index.manifests.push_back({type, image.manifest_digest, manifest_bytes.size(), std::nullopt, {}});
  if (!image.name.empty()) index.manifests[0].annotations[std::string(wire::kAnnotationRefName)] = image.name;

  std::vector<Digest> blobs{image.manifest_digest, image.config_digest};
  for (const auto& layer : image.layers) blobs.push_back(layer.digest);
  std::ranges::sort(blobs);
  const auto doubles = std::ranges::unique(blobs);
  blobs.erase(doubles.begin(), doubles.end());

  ArchiveFileWriter archive = TRY(ArchiveFileWriter::create(path));
  std::uint64_t done = 0;
  for (const auto& digest : blobs) {
    TRY(work.check());
    work.report("saving", done, image.size);
    const Fd blob = TRY(state_->blobs.open_blob(digest));
    done += TRY(archive.add_file(cat(kBlobPrefix, digest.hex()), blob.get()));
  }
  TRY(archive.add_text(std::string(kIndexFile), wire::format_oci_index(index)));
  TRY(archive.add_text(std::string(kLayoutFile), wire::oci_layout_file()));
  return archive.commit();
}

Result<Image> ImageStore::load(const std::string& path, const std::string& name, const Work& work) {
  const TempDir staging = TRY(state_->stage());
  const std::string subject = cat("load ", path);
  const auto archive = TRY_IN(subject, read_archive(path, staging.path(), work));
  std::string carried;
  std::string manifest;
  std::string blobs_at = staging.path();
  if (archive.is_oci) {
    manifest = TRY_IN(subject, manifest_in(archive.index, staging.path(), carried));
  } else if (archive.is_docker) {
    const auto names = TRY_IN(subject, wire::parse_docker_archive_names(archive.docker_manifest));
    if (!names.empty()) carried = names.front();
    blobs_at = staging / "docker";
    TRY(sys::mkdir(blobs_at, 0700));
    TRY(import_image(cat("docker-archive:", path), blobs_at, work));
    manifest = TRY(read_file(cat(blobs_at, "/manifest.json"), wire::kMaxManifestBytes));
  } else {
    return fail(ErrorCode::kInvalidArgument, cat(subject, ": neither an OCI archive nor a docker archive"));
  }
  const std::string final_name = TRY_IN(subject, name_for(name, carried));
  return annotate(state_->ingest(blobs_at, manifest, final_name, work), subject);
}

namespace {

struct StagedLayer {
  wire::OciDescriptor descriptor;
  Digest diff_id;
};

// Copies the tar into the staging directory under its digest, and walks it once: what cannot be unpacked later is
// refused now.
Result<StagedLayer> stage_layer(const std::string& tar_path, const std::string& staging, const LayerLimits& limits,
                                const Work& work) {
  const Fd from = TRY(sys::open(tar_path, O_RDONLY));
  const std::string copy = cat(staging, "/layer");
  Fd to = TRY(sys::open(copy, O_RDWR | O_CREAT | O_EXCL, 0600));
  Sha256 hash;
  std::string buffer(1U << 20U, '\0');
  StagedLayer out;
  LayerCompression compression = LayerCompression::kNone;
  while (const std::size_t got = TRY(sys::read(from.get(), buffer.data(), buffer.size()))) {
    TRY(work.check());
    const std::string_view bytes(buffer.data(), got);
    if (out.descriptor.size == 0) compression = compression_of(bytes);
    hash.update(bytes);
    TRY(sys::write_all(to.get(), bytes));
    out.descriptor.size += got;
    work.report("reading", out.descriptor.size);
  }
  if (::lseek(to.get(), 0, SEEK_SET) < 0) return fail_errno("lseek");
  LayerReader reader = TRY(LayerReader::open(std::move(to), limits));
  while (TRY(reader.next())) TRY(work.check());
  out.diff_id = TRY(reader.finish());
  out.descriptor.digest = hash.finish();
  out.descriptor.media_type = wire::layer_media_type(compression);
  TRY(sys::rename(copy, cat(staging, "/", out.descriptor.digest.hex())));
  return out;
}

}  // namespace

Result<Image> ImageStore::import_rootfs(const std::string& tar_path, const ImageReference& name,
                                        const ImageConfig& config, const Work& work) {
  const TempDir staging = TRY(state_->stage());
  const auto layer =
      TRY_IN(cat("import ", tar_path), stage_layer(tar_path, staging.path(), state_->config.limits, work));
  wire::OciImageConfig document{config, {layer.diff_id}};
  if (document.config.os.empty()) document.config.os = "linux";
  if (document.config.architecture.empty()) document.config.architecture = host_architecture();
  const std::string config_bytes = wire::format_oci_image_config(document);
  wire::OciManifest manifest;
  manifest.config = {
      std::string(wire::kMediaTypeOciConfig), sha256_of(config_bytes), config_bytes.size(), std::nullopt, {}};
  manifest.layers.push_back(layer.descriptor);
  TRY(write_file_atomic(cat(staging.path(), "/", manifest.config.digest.hex()), config_bytes, 0600));
  return state_->ingest(staging.path(), wire::format_oci_manifest(manifest), name.text(), work);
}

}  // namespace skerry
