#include <filesystem>

#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/build_steps.h"

namespace skerry {
namespace {

// Dockerfiles: buildah, with storage of its own that goes with the scratch directory.
Result<Image> build_dockerfile(ImageStore& store, const BuildRequest& request, const std::string& scratch,
                               const Work& work) {
  work.report("building the Dockerfile");
  const std::string context =
      request.file.context.empty() ? request.directory : resolve_path(request.directory, request.file.context);
  const std::string archive = cat(scratch, "/built.tar");
  std::vector<std::string> argv = {"buildah",
                                   "--root",
                                   cat(scratch, "/root"),
                                   "--runroot",
                                   cat(scratch, "/runroot"),
                                   "--storage-driver",
                                   "vfs",
                                   "build",
                                   "--isolation",
                                   "oci",
                                   "--runtime",
                                   request.runtime,
                                   "--format",
                                   "oci",
                                   "--timestamp",
                                   "0",
                                   "--layers=false",
                                   "--file",
                                   resolve_path(request.directory, request.file.dockerfile),
                                   "--tag",
                                   cat("oci-archive:", archive, ":built")};
  if (!request.file.target.empty()) argv.insert(argv.end(), {"--target", request.file.target});
  for (const auto& [name, value] : request.file.build_args) {
    argv.insert(argv.end(), {"--build-arg", cat(name, "=", value)});
  }
  if (request.registry.insecure) argv.emplace_back("--tls-verify=false");
  argv.push_back(context);
  TRY_IN(cat("build ", request.file.dockerfile), run_tool(argv, "buildah", work));
  return store.load(archive, "localhost/skerry-build:dockerfile", work);
}

Result<Image> install_packages(ImageStore& store, const BuildRequest& request, const std::string& scratch,
                               const Work& work) {
  work.report("installing packages");
  const std::string tar = cat(scratch, "/packages.tar");
  std::vector<std::string> argv = {"mmdebstrap", "--quiet", "--variant=minbase"};
  if (!request.file.packages.empty()) argv.push_back(cat("--include=", join(request.file.packages, ",")));
  argv.push_back(request.file.suite);
  argv.push_back(tar);
  if (!request.file.mirror.empty()) argv.push_back(request.file.mirror);
  TRY_IN("install packages", run_tool(argv, "mmdebstrap", work));
  const auto name = TRY(ImageReference::parse("localhost/skerry-build:packages"));
  ImageConfig config;
  config.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  return store.import_rootfs(tar, name, config, work);
}

}  // namespace

Result<Image> source_image(ImageStore& store, const BuildRequest& request, const std::string& scratch,
                           const Work& work) {
  if (request.file.strategy == wire::BuildStrategy::kPackages) return install_packages(store, request, scratch, work);
  if (!request.file.dockerfile.empty()) return build_dockerfile(store, request, scratch, work);
  auto found = store.find(request.file.image);
  if (found || found.error().code != ErrorCode::kNotFound) return found;
  const auto reference = TRY(ImageReference::parse(request.file.image));
  return store.pull(reference, request.registry, work);
}

}  // namespace skerry
