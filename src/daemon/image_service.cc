#include "daemon/image_service.h"

#include "base/file_io.h"
#include "base/text.h"
#include "daemon/work_of.h"
#include "image/image_builder.h"
#include "wire/build_file.h"

namespace skerry {
namespace {

using Outcome = api::ImagePort::Outcome;

#ifdef __aarch64__
constexpr const char* kArchitecture = "arm64";
#else
constexpr const char* kArchitecture = "amd64";
#endif

Outcome described(const Result<Image>& image) {
  if (!image) return fail(image.error());
  return std::map<std::string, std::string>{{"name", image->name}, {"digest", image->manifest_digest.text()}};
}

Outcome described(const Result<RemovedImages>& removed) {
  if (!removed) return fail(removed.error());
  return std::map<std::string, std::string>{{"names", join(removed->names, " ")},
                                            {"freed_bytes", cat(removed->freed_bytes)}};
}

class ImageService final : public api::ImagePort {
 public:
  ImageService(ImageStore& images, BuildPrograms programs) : images_(images), programs_(std::move(programs)) {}

  std::vector<Image> list() override { return images_.list(); }
  Result<Image> find(const std::string& name_or_id) override { return images_.find(name_or_id); }
  Result<std::string> raw_config(const Image& image) override { return images_.raw_config(image); }
  Status tag(const std::string& name_or_id, const std::string& name) override {
    return images_.tag(name_or_id, TRY(ImageReference::parse(name)));
  }
  Outcome remove(const std::string& name_or_id) override { return described(images_.remove(name_or_id)); }
  Status fetch(const Artifact& artifact, OperationProgress& progress) override {
    TRY(images_.artifact(artifact, work_of(progress)));
    return {};
  }
  Outcome prune(const std::vector<std::string>& in_use) override {
    std::vector<Digest> digests;
    digests.reserve(in_use.size());
    for (const auto& text : in_use) digests.push_back(TRY(Digest::parse(text)));
    return described(images_.prune(digests));
  }

  Outcome pull(const std::string& reference, Transport transport, OperationProgress& progress) override {
    RegistryOptions options;
    options.insecure = transport == Transport::kInsecure;
    const auto parsed = TRY(ImageReference::parse(reference));
    const Image image = TRY(images_.pull(parsed, options, work_of(progress)));
    // Unpacked now, while somebody watches the progress, and not at the first start.
    if (const auto unpacked = images_.lower_directories(image, work_of(progress)); !unpacked) {
      // A layer that can never be unpacked: not an image that anybody could run. Otherwise the next start tries again.
      if (unpacked.error().code == ErrorCode::kCorrupt) TRY(images_.remove(parsed.text()));
      return fail(unpacked.error());
    }
    return described(image);
  }
  Outcome push(const std::string& name_or_id, const std::string& target, Transport transport,
               OperationProgress& progress) override {
    RegistryOptions options;
    options.insecure = transport == Transport::kInsecure;
    const auto parsed = TRY(ImageReference::parse(target));
    const Image image = TRY(images_.find(name_or_id));
    TRY(images_.push(image.manifest_digest.text(), parsed, options, work_of(progress)));
    return std::map<std::string, std::string>{{"name", parsed.text()}, {"digest", image.manifest_digest.text()}};
  }
  Outcome load(const std::string& path, const std::string& name, OperationProgress& progress) override {
    return described(images_.load(path, name, work_of(progress)));
  }
  Outcome import(const wire::ImportRequest& request, OperationProgress& progress) override {
    ImageConfig config;
    config.cmd = request.command;
    config.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    config.architecture = kArchitecture;
    config.os = "linux";
    return described(
        images_.import_rootfs(request.path, TRY(ImageReference::parse(request.name)), config, work_of(progress)));
  }
  Outcome save(const std::string& name_or_id, const std::string& path, OperationProgress& progress) override {
    TRY(images_.save(name_or_id, path, work_of(progress)));
    return std::map<std::string, std::string>{{"path", path}};
  }
  Outcome build(const wire::BuildImageRequest& request, OperationProgress& progress) override {
    BuildRequest build;
    build.file = TRY_IN(request.path, wire::parse_build_file(TRY(read_file(request.path, wire::kMaxBuildFileBytes))));
    build.directory = request.path.substr(0, request.path.rfind('/'));
    build.output_dir = request.output;
    build.default_agent = programs_.agent;
    build.default_init = programs_.init;
    build.runtime = programs_.runtime;
    build.signing_key = request.signing_key;
    build.registry.insecure = request.insecure;
    const auto made = TRY(build_image(images_, build, work_of(progress)));
    std::map<std::string, std::string> result{{"name", request.path},           {"digest", made.digest.text()},
                                              {"artifact", made.artifact_path}, {"size", cat(made.size)},
                                              {"manifest", made.manifest_path}, {"sbom", made.sbom_path}};
    if (!made.varies.empty()) result.emplace("varies", made.varies);
    return result;
  }

 private:
  ImageStore& images_;
  BuildPrograms programs_;
};

}  // namespace

std::unique_ptr<api::ImagePort> make_image_service(ImageStore& images, BuildPrograms programs) {
  return std::make_unique<ImageService>(images, std::move(programs));
}

}  // namespace skerry
