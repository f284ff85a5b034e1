#include "image/image_builder.h"

#include <fcntl.h>

#include <filesystem>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/rollback.h"
#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/build_steps.h"
#include "image/chain_id.h"
#include "image/scratch.h"
#include "wire/plugin_manifest.h"

namespace skerry {
namespace {

constexpr std::size_t kMaxSignature = 4096;

// Everything of one build; `scratch` is inside the output directory, so that results only have to be renamed.
struct Build {
  ImageStore& store;
  const BuildRequest& request;
  const Work& work;
  std::string scratch;
  std::vector<BuildInput> inputs;
  // Results, in the scratch directory at first.
  std::string artifact;
  wire::BuiltArtifact description;
  ImageConfig config;
  std::string sbom;
};

Result<FileDigest> digest_of(const std::string& path) {
  const Fd file = TRY(sys::open(path, O_RDONLY));
  return sha256_of_file(file.get());
}

Status build_rootfs(Build& build) {
  const auto& file = build.request.file;
  const Image image = TRY(source_image(build.store, build.request, build.scratch, build.work));
  build.config = image.config;
  const std::string content_path = cat(build.scratch, "/content");
  const Fd content = TRY(sys::open(content_path, O_RDWR | O_CREAT | O_EXCL, 0600));
  MergedTree tree;
  ErofsWriter writer(content.get());
  TRY(build.store.merge(image, tree, writer, build.work));
  tree.finish();

  BuildInput agent;
  agent.source = TRY(choose_agent(build.request));
  agent.entry.path = kAgentPath;
  agent.entry.mode = 0755;
  std::vector<BuildInput> inputs{std::move(agent)};
  inputs.insert(inputs.end(), build.inputs.begin(), build.inputs.end());
  Sha256 identity;
  // The type counts too: two file systems with one UUID confuse whoever sees both.
  identity.update(cat(wire::to_text(file.filesystem), "\n", chain_id(image.layers).text(), "\n"));
  TRY(install_inputs(tree, writer, inputs, identity));
  const auto uuid = uuid_of(identity.finish());

  const std::string type(wire::to_text(file.filesystem));
  build.artifact = cat(build.scratch, "/rootfs.", type);
  build.description.kind = wire::BuiltArtifact::Kind::kRootfs;
  build.description.format = type;
  if (file.filesystem == wire::FilesystemType::kErofs) {
    TRY(writer.finish(tree, uuid));
    TRY(sys::rename(content_path, build.artifact));
  } else {
    TRY(writer.flush_content());
    TRY(write_filesystem(file.filesystem, tree, content.get(), build.artifact, file.size_buffer_mib, uuid,
                         build.scratch, build.work));
  }
  const auto made = TRY(digest_of(build.artifact));
  build.sbom = TRY(make_sbom(tree, content.get(), image.name.empty() ? "rootfs" : image.name, made.digest));
  return {};
}

Status build_initramfs_image(Build& build) {
  build.work.report("writing initramfs");
  build.artifact = cat(build.scratch, "/initramfs.cpio.gz");
  build.description.kind = wire::BuiltArtifact::Kind::kInitramfs;
  build.description.format = "cpio.gz";
  TRY(write_initramfs(build.request, build.inputs, build.artifact));
  const auto made = TRY(digest_of(build.artifact));
  build.sbom = make_initramfs_sbom(build.inputs, "initramfs", made.digest);
  return {};
}

// What `skerryd --plugin-keys` asks for: the signature in the document, over what is left without it.
Result<std::string> signed_manifest(const Build& build, const std::string& manifest) {
  const std::string text_path = cat(build.scratch, "/manifest");
  TRY(write_file_atomic(text_path, TRY(wire::signed_text(manifest)), 0600));
  TRY(sign_file(text_path, build.request.signing_key, build.work));
  return wire::with_signature(manifest, TRY(read_file(cat(text_path, ".minisig"), kMaxSignature)));
}

Result<BuildResult> publish(Build& build) {
  const std::string& out = build.request.output_dir;
  const auto made = TRY(digest_of(build.artifact));
  crash_point("an artifact is built");
  BuildResult result;
  result.varies = why_bytes_vary(build.request.file);
  result.artifact_path = cat(out, "/", std::filesystem::path(build.artifact).filename().string());
  result.digest = made.digest;
  result.size = made.size;
  result.manifest_path = cat(out, "/manifest.json");
  result.sbom_path = cat(out, "/sbom.spdx.json");
  build.description.url = cat("file://", result.artifact_path);
  build.description.checksum = made.digest.text();
  std::string manifest = TRY(wire::complete_manifest(build.request.file, build.description, build.config));
  if (!build.request.signing_key.empty()) manifest = TRY(signed_manifest(build, manifest));
  const std::string staged_manifest = cat(build.scratch, "/manifest.json");
  const std::string staged_sbom = cat(build.scratch, "/sbom.spdx.json");
  TRY(write_file_atomic(staged_manifest, manifest, 0644));
  TRY(write_file_atomic(staged_sbom, build.sbom, 0644));
  TRY(sys::chmod(build.artifact, 0644));
  std::vector<std::pair<std::string, std::string>> moves = {
      {build.artifact, result.artifact_path}, {staged_sbom, result.sbom_path}, {staged_manifest, result.manifest_path}};
  if (!build.request.signing_key.empty()) {
    const auto plain = moves;
    for (const auto& [staged, final_path] : plain) {
      TRY(sign_file(staged, build.request.signing_key, build.work));
      moves.insert(moves.begin(), {cat(staged, ".minisig"), cat(final_path, ".minisig")});
    }
  }
  // The manifest comes last: who finds it finds the rest.
  for (const auto& [staged, final_path] : moves) {
    TRY(sys::rename(staged, final_path));
    crash_point("a result of a build is there");
  }
  return result;
}

}  // namespace

std::string why_bytes_vary(const wire::BuildFile& file) {
  if (file.strategy == wire::BuildStrategy::kInitramfs) return {};
  switch (file.filesystem) {
    case wire::FilesystemType::kXfs: return "mkfs.xfs writes the time and random numbers into every inode";
    case wire::FilesystemType::kBtrfs: return "mkfs.btrfs writes the time and random identifiers into its trees";
    default: break;
  }
  if (file.strategy == wire::BuildStrategy::kPackages) return "the archive may serve other versions of the packages";
  if (!file.dockerfile.empty()) return "the commands of the Dockerfile may give other files";
  return {};
}

Result<BuildResult> build_image(ImageStore& store, const BuildRequest& given, const Work& work) {
  BuildRequest request = given;
  TRY(sys::mkdir_all(request.output_dir, 0755));
  request.output_dir = std::filesystem::absolute(request.output_dir).lexically_normal().string();
  while (request.output_dir.size() > 1 && request.output_dir.ends_with('/')) request.output_dir.pop_back();
  const auto scratch = TRY(store.scratch_in(request.output_dir));
  Build build{store, request, work, scratch->path(), {}, {}, {}, {}, {}};
  crash_point("a build has its scratch directory");
  build.inputs = TRY(expand_mappings(request.file.mappings, request.directory));
  if (request.file.strategy == wire::BuildStrategy::kInitramfs) {
    TRY(build_initramfs_image(build));
  } else {
    TRY(build_rootfs(build));
  }
  return publish(build);
}

}  // namespace skerry
