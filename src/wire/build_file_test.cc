#include "wire/build_file.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace skerry::wire {
namespace {

const std::string kGood = R"(version = "1"
strategy = "oci_rootfs"
[source]
image = "debian:12"
[filesystem]
type = "ext4"
size_buffer_mb = 64
[mappings]
"b/c" = "/z//./y"
a = "/b"
[manifest]
name = "web"
[manifest.workload]
entrypoint = ["/x"]
)";

std::string error_of(std::string_view text) {
  const auto parsed = parse_build_file(text);
  return parsed ? "no error" : parsed.error().step;
}

TEST(BuildFile, Good) {
  const auto file = parse_build_file(kGood);
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->image, "debian:12");
  EXPECT_EQ(file->filesystem, FilesystemType::kExt4);
  EXPECT_EQ(file->size_buffer_mib, 64U);
  const std::vector<BuildFile::Mapping> mappings{{"a", "/b"}, {"b/c", "/z/y"}};
  EXPECT_EQ(file->mappings, mappings);
  EXPECT_EQ(file->manifest_json, R"({"name":"web","workload":{"entrypoint":["/x"]}})");
}

TEST(BuildFile, EachStrategyHasItsOwnSource) {
  const auto parse = [](std::string_view strategy, std::string_view source) {
    return parse_build_file(cat("version = \"1\"\nstrategy = \"", strategy, "\"\n[source]\n", source));
  };
  EXPECT_EQ(parse("packages", "packages = [\"nginx-light\", \"a=1.2\"]\nsuite = \"trixie\"\n")->suite, "trixie");
  EXPECT_EQ(parse("initramfs", "busybox = \"/x\"\n")->busybox, "/x");
  EXPECT_EQ(parse("oci_rootfs", "dockerfile = \"D\"\nbuild_args = {A = \"1\"}\n")->build_args.at("A"), "1");
  EXPECT_FALSE(parse("oci_rootfs", "busybox = \"/x\"\n"));
  EXPECT_FALSE(parse("oci_rootfs", "image = \"a\"\ndockerfile = \"D\"\n"));
  EXPECT_FALSE(parse("packages", "packages = [\"--option\"]\n"));
  EXPECT_FALSE(parse("packages", "mirror = \"file:///etc\"\n"));
  EXPECT_FALSE(parse("initramfs", "[filesystem]\ntype = \"ext4\"\n"));
}

TEST(BuildFile, ErrorsNameKeyAndLine) {
  const auto replaced = [](std::string_view from, std::string_view to) {
    std::string text = kGood;
    text.replace(text.find(from), from.size(), to);
    return error_of(text);
  };
  EXPECT_EQ(replaced("\"ext4\"", "\"ntfs\""),
            "build file, line 6: filesystem.type: must be one of erofs, ext4, xfs, btrfs, squashfs");
  EXPECT_EQ(replaced("size_buffer_mb", "size_bufer_mb"), "build file, line 7: filesystem.size_bufer_mb: unknown key");
  EXPECT_EQ(replaced("= 64", "= -1"), "build file, line 7: filesystem.size_buffer_mb: must be 0 to 1048576");
  EXPECT_EQ(replaced("/z//./y", "/z/../y"), "build file, line 9: mappings.b/c: the target must not contain \"..\"");
  EXPECT_EQ(replaced("\"/b\"", "\"b\""), "build file, line 10: mappings.a: the target must be an absolute path");
  EXPECT_EQ(replaced("\"1\"", "1"), "build file, line 1: version: must be a text");
  EXPECT_EQ(replaced("[manifest]\n", "[manifest]\nsignature = \"x\"\n"),
            "build file, line 12: manifest.signature: is what the build fills in");
  EXPECT_TRUE(replaced("\"ext4\"", "\"erofs\"").ends_with("no free space"));
}

TEST(BuildFile, HostileTextIsRefused) {
  for (const auto& text : {std::string("[[["), std::string("[[ ["), std::string("vaaa\xc3\xa6 = 1"), std::string(),
                           std::string("a = "), std::string(100'000, '['), "a=" + std::string(100'000, '['),
                           std::string("\0", 1), std::string(kMaxBuildFileBytes + 1, '#')}) {
    EXPECT_EQ(parse_build_file(text).error().code, ErrorCode::kInvalidArgument) << text.substr(0, 20);
  }
}

TEST(BuildFile, ManifestTakesWhatTheImageSays) {
  const auto file = parse_build_file(kGood).value();
  ImageConfig config;
  config.entrypoint = {"/image"};
  config.env = {"A=b=c", "=odd"};
  config.workdir = "/w";
  const BuiltArtifact artifact{BuiltArtifact::Kind::kRootfs, "file:///out/rootfs.ext4",
                               "sha256:" + std::string(64, 'a'), "ext4"};
  const auto manifest = complete_manifest(file, artifact, config);
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_NE(manifest->find("\"/x\""), std::string::npos);
  EXPECT_EQ(manifest->find("/image"), std::string::npos);
  EXPECT_NE(manifest->find("\"A\": \"b=c\""), std::string::npos);
  EXPECT_NE(manifest->find("\"workdir\": \"/w\""), std::string::npos);
  EXPECT_NE(manifest->find("file:///out/rootfs.ext4"), std::string::npos);
}

}  // namespace
}  // namespace skerry::wire
