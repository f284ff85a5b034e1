#include "wire/oci_image_json.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace skerry::wire {
namespace {

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');

std::string manifest_text(const std::string& layers) {
  return cat(R"({"schemaVersion":2,"mediaType":")", kMediaTypeOciManifest,
             R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")", kA,
             R"(","size":10},"layers":)", layers, "}");
}

TEST(OciImageJson, Manifest) {
  const auto manifest =
      parse_oci_manifest(manifest_text(cat(R"([{"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd","digest":")",
                                           kB, R"(","size":7,"unknown":[1]}])")));
  ASSERT_TRUE(manifest) << manifest.error().message();
  ASSERT_EQ(manifest->layers.size(), 1U);
  EXPECT_EQ(manifest->layers[0].digest.text(), kB);
  EXPECT_EQ(manifest->layers[0].size, 7U);
  EXPECT_EQ(layer_compression(manifest->layers[0].media_type).value(), LayerCompression::kZstd);
  EXPECT_EQ(parse_oci_manifest(format_oci_manifest(*manifest)).value(), *manifest);
}

TEST(OciImageJson, ErrorsNameTheJsonPath) {
  const auto error_of = [](const std::string& layers) {
    return parse_oci_manifest(manifest_text(layers)).error().step;
  };
  EXPECT_EQ(error_of(R"({})"), "layers: must be a list");
  EXPECT_EQ(error_of(R"([{"size":1}])"), "layers[0].digest: is missing");
  EXPECT_TRUE(error_of(R"([{"digest":"sha256:../../x","size":1}])").starts_with("layers[0].digest: "));
  EXPECT_EQ(error_of(cat(R"([{"digest":")", kB, R"(","size":-1}])")),
            "layers[0].size: must be a whole number, zero or more");
  EXPECT_EQ(error_of(cat(R"([{"digest":")", kB, R"(","size":1.5}])")),
            "layers[0].size: must be a whole number, zero or more");
  EXPECT_EQ(error_of(R"([7])"), "layers[0]: must be an object");
}

TEST(OciImageJson, BoundsHold) {
  EXPECT_EQ(parse_oci_manifest(std::string(kMaxManifestBytes + 1, ' ')).error().code, ErrorCode::kCorrupt);
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_NE(parse_oci_manifest(cat(R"({"a":)", deep, "}")).error().step.find("nested deeper"), std::string::npos);
  std::string many = "[";
  for (std::size_t i = 0; i <= kMaxLayers; ++i) {
    many += cat(i == 0 ? "" : ",", R"({"digest":")", kB, R"(","size":1})");
  }
  EXPECT_NE(parse_oci_manifest(manifest_text(many + "]")).error().step.find("more than"), std::string::npos);
}

TEST(OciImageJson, KindOfDocument) {
  EXPECT_EQ(oci_document_kind(R"({"manifests":[]})").value(), OciDocumentKind::kIndex);
  EXPECT_EQ(oci_document_kind(R"({"config":{}})").value(), OciDocumentKind::kManifest);
  EXPECT_EQ(oci_document_kind(R"({"config":{},"manifests":[]})").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(oci_document_kind(R"({"mediaType":"text/html"})").error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(oci_document_kind("[]").error().code, ErrorCode::kCorrupt);
}

TEST(OciImageJson, Config) {
  const auto config = parse_oci_image_config(cat(
      R"({"architecture":"amd64","os":"linux","config":{"Entrypoint":["/a"],"Cmd":null,"Env":["A=b"],"WorkingDir":"/w",)"
      R"("User":"1:2","ExposedPorts":{"80/tcp":{}},"Labels":{"k":"v"},"StopSignal":"SIGQUIT"},)"
      R"("rootfs":{"type":"layers","diff_ids":[")",
      kA, R"("]}})"));
  ASSERT_TRUE(config) << config.error().message();
  EXPECT_EQ(config->config.entrypoint, std::vector<std::string>{"/a"});
  EXPECT_TRUE(config->config.cmd.empty());
  EXPECT_EQ(config->config.exposed_ports, std::vector<std::string>{"80/tcp"});
  EXPECT_EQ(config->config.labels.at("k"), "v");
  EXPECT_EQ(config->config.stop_signal, "SIGQUIT");
  EXPECT_EQ(config->diff_ids.at(0).text(), kA);
  EXPECT_EQ(parse_oci_image_config(format_oci_image_config(*config)).value(), *config);
  EXPECT_EQ(parse_oci_image_config(R"({"rootfs":{"diff_ids":[1]}})").error().step,
            "rootfs.diff_ids[0]: must be a string");
  EXPECT_EQ(parse_oci_image_config(R"({"config":{"Env":["a\u0000b"]},"rootfs":{}})").error().step,
            "config.Env[0]: holds a zero byte");
}

TEST(OciImageJson, Index) {
  OciIndex index;
  index.manifests.push_back({std::string(kMediaTypeOciManifest),
                             Digest::parse(kA).value(),
                             5,
                             OciPlatform{"linux", "arm64", "v8"},
                             {{std::string(kAnnotationRefName), "x:y"}}});
  EXPECT_EQ(parse_oci_index(format_oci_index(index)).value(), index);
  EXPECT_EQ(oci_document_kind(format_oci_index(index)).value(), OciDocumentKind::kIndex);
}

}  // namespace
}  // namespace skerry::wire
