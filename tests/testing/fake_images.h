// FakeImages: an ImagePort with one image, "localhost/base:1"; pulls do as the test says.
#pragma once

#include <functional>

#include "api/image_port.h"

namespace skerry::testing {

class FakeImages final : public api::ImagePort {
 public:
  // What a pull does; unset: succeeds at once.
  std::function<Outcome(OperationProgress&)> on_pull;

  // What a fetch does; unset: succeeds.
  std::function<Status(const Artifact&, OperationProgress&)> on_fetch;

  std::vector<Image> list() override { return {base()}; }
  Result<Image> find(const std::string& name_or_id) override {
    if (name_or_id == "localhost/base:1") return base();
    return fail(ErrorCode::kNotFound, "image \"" + name_or_id + "\" is not here", "skerry images pull " + name_or_id);
  }
  Result<std::string> raw_config(const Image&) override { return R"({"architecture":"amd64"})"; }
  Status tag(const std::string& name_or_id, const std::string&) override {
    if (auto found = find(name_or_id); !found) return fail(found.error());
    return {};
  }
  Status fetch(const Artifact& artifact, OperationProgress& progress) override {
    return on_fetch ? on_fetch(artifact, progress) : Status();
  }
  Outcome remove(const std::string& name_or_id) override {
    return std::map<std::string, std::string>{{"names", name_or_id}, {"freed_bytes", "1"}};
  }
  Outcome prune(const std::vector<std::string>&) override {
    return std::map<std::string, std::string>{{"names", ""}, {"freed_bytes", "0"}};
  }
  Outcome pull(const std::string& reference, Transport, OperationProgress& progress) override {
    if (on_pull) return on_pull(progress);
    return std::map<std::string, std::string>{{"name", reference}, {"digest", base().manifest_digest.text()}};
  }
  Outcome push(const std::string&, const std::string& target, Transport, OperationProgress&) override {
    return std::map<std::string, std::string>{{"name", target}, {"digest", base().manifest_digest.text()}};
  }
  Outcome load(const std::string&, const std::string& name, OperationProgress&) override {
    return std::map<std::string, std::string>{{"name", name}};
  }
  Outcome import(const wire::ImportRequest& request, OperationProgress&) override {
    return std::map<std::string, std::string>{{"name", request.name}};
  }
  Outcome save(const std::string&, const std::string& path, OperationProgress&) override {
    return std::map<std::string, std::string>{{"path", path}};
  }
  Outcome build(const wire::BuildImageRequest& request, OperationProgress&) override {
    return std::map<std::string, std::string>{{"name", request.path}, {"manifest", request.output + "/manifest.json"}};
  }

 private:
  static Image base() {
    Image image;
    image.name = "localhost/base:1";
    image.manifest_digest = Digest::from_hex(std::string(64, 'a')).value();
    image.config_digest = Digest::from_hex(std::string(64, 'b')).value();
    image.size = 5;
    return image;
  }
};

}  // namespace skerry::testing
