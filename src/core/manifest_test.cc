#include "core/manifest.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

PluginManifest web() {
  PluginManifest manifest;
  manifest.name = "web";
  manifest.version = "1.0";
  manifest.image = "localhost/web:1";
  manifest.workload.entrypoint = {"/bin/serve"};
  manifest.workload.env = {{"MODE", "plain"}, {"COLOUR", "blue"}};
  manifest.resources.memory_mib = 192;
  return manifest;
}

TEST(ApplyManifest, FillsWhatTheRequestLeavesOpen) {
  EnvironmentSpec asked;
  asked.env = {{"MODE", "mine"}};
  const auto spec = apply_manifest(asked, web(), IsolationWish::kOpen, RestartWish::kOpen);
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_EQ(spec->image, "localhost/web:1");
  EXPECT_EQ(spec->entrypoint, std::vector<std::string>{"/bin/serve"});
  EXPECT_EQ(spec->env, (std::map<std::string, std::string>{{"MODE", "mine"}, {"COLOUR", "blue"}}));
  EXPECT_EQ(spec->resources.memory_mib, 192U);
}

// 512 MiB and one core, as is given anyway, are a wish as any other.
TEST(ApplyManifest, ResourcesThatWereAskedForCount) {
  auto manifest = web();
  manifest.resources.cpu_milli = 4000;
  const auto apply = [&](ResourceWishes wishes) {
    return apply_manifest({}, manifest, IsolationWish::kOpen, RestartWish::kOpen, wishes)->resources;
  };
  EXPECT_EQ(apply({}).memory_mib, 192U);
  EXPECT_EQ(apply({}).cpu_milli, 4000U);
  EXPECT_EQ(apply({.cpu = false, .memory = true}).memory_mib, Resources{}.memory_mib);
  EXPECT_EQ(apply({.cpu = true, .memory = false}).cpu_milli, Resources{}.cpu_milli);
}

TEST(ApplyManifest, ADigestPinsTheImage) {
  auto manifest = web();
  manifest.image_digest = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(apply_manifest({}, manifest, IsolationWish::kOpen, RestartWish::kOpen)->image, manifest.image_digest);
}

TEST(Manifest, AWarmPoolIsForWhatStartsFromAMemorySnapshot) {
  auto manifest = web();
  manifest.warm_pool = {WarmMode::kWarmed, 2};
  EXPECT_TRUE(validate(manifest));
  manifest.warm_pool.size = kMostWarm + 1;
  EXPECT_NE(validate(manifest).error().message().find("warm_pool.size"), std::string::npos);
  manifest.warm_pool.size = 1;
  manifest.cloud_init = CloudInit{"#cloud-config\n", {}, {}};
  EXPECT_NE(validate(manifest).error().message().find("cloud_init always boots"), std::string::npos);
  manifest.cloud_init.reset();
  manifest.image.clear();
  manifest.initramfs = Artifact{"file:///initramfs", "sha256:" + std::string(64, 'b'), ""};
  EXPECT_NE(validate(manifest).error().message().find("initramfs alone"), std::string::npos);
  manifest.warm_pool.mode = WarmMode::kOff;
  EXPECT_TRUE(validate(manifest));
}

TEST(ApplyManifest, DisksMakeAMicrovm) {
  auto manifest = web();
  manifest.image.clear();
  manifest.rootfs = Artifact{"file:///disk", "sha256:" + std::string(64, 'b'), "erofs"};
  EXPECT_EQ(apply_manifest({}, manifest, IsolationWish::kOpen, RestartWish::kOpen)->isolation, Isolation::kMicrovm);
  EXPECT_EQ(apply_manifest({}, manifest, IsolationWish::kAsked, RestartWish::kOpen).error().code,
            ErrorCode::kUnsupported);
  EnvironmentSpec own_image;
  own_image.image = "other:1";
  EXPECT_EQ(apply_manifest(own_image, manifest, IsolationWish::kOpen, RestartWish::kOpen).error().code,
            ErrorCode::kInvalidArgument);
}

// What a manifest asks for and we cannot do is refused, never left out.
TEST(Manifest, RefusesWhatCannotBeDone) {
  std::vector<std::pair<std::string, PluginManifest>> cases;
  const auto add = [&](const std::string& word, const auto& change) {
    auto manifest = web();
    change(manifest);
    cases.emplace_back(word, std::move(manifest));
  };
  add("disks",
      [](auto& m) { m.disks = {{"data", "file:///d", "sha256:" + std::string(64, 'c'), "raw", false, "vdb"}}; });
  add("network.mode", [](auto& m) { m.network_mode = "none"; });
  for (const auto& [word, manifest] : cases) {
    const auto valid = validate(manifest);
    ASSERT_FALSE(valid) << word;
    EXPECT_EQ(valid.error().code, ErrorCode::kUnsupported);
    EXPECT_NE(valid.error().message().find(word), std::string::npos) << valid.error().message();
  }
}

TEST(Manifest, RefusesWhatItWouldNotUse) {
  const auto why = [](const auto& change) {
    auto manifest = web();
    change(manifest);
    const auto valid = validate(manifest);
    return valid ? std::string() : valid.error().message();
  };
  const Artifact file{"file:///disk", "sha256:" + std::string(64, 'b'), "erofs"};
  EXPECT_NE(why([&](auto& m) { m.rootfs = file; }).find("rootfs: not together with image"), std::string::npos);
  EXPECT_NE(why([&](auto& m) { m.initramfs = file; }).find("initramfs: not together with image"), std::string::npos);
  const HealthCheck https{HealthCheck::Probe::kHttp, "https://127.0.0.1/x", {}};
  EXPECT_NE(why([&](auto& m) { m.health_check = https; }).find("health_check.endpoint"), std::string::npos);
}

TEST(ApplyManifest, DevicesMakeAMicrovmAndAreNamedByKind) {
  auto manifest = web();
  manifest.devices.addresses = {"0000:01:00.0"};
  EXPECT_NE(validate(manifest).error().message().find("devices.allowlist"), std::string::npos);
  manifest.devices.allowed = {"8086:10fb"};
  ASSERT_TRUE(validate(manifest));
  const auto spec = apply_manifest({}, manifest, IsolationWish::kOpen, RestartWish::kOpen);
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_EQ(spec->isolation, Isolation::kMicrovm);
  EXPECT_EQ(spec->devices, manifest.devices);
  EXPECT_EQ(apply_manifest({}, manifest, IsolationWish::kAsked, RestartWish::kOpen).error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(apply_manifest(*spec, manifest, IsolationWish::kOpen, RestartWish::kOpen).error().code,
            ErrorCode::kInvalidArgument);
  manifest.devices.addresses.clear();
  EXPECT_NE(validate(manifest).error().message().find("devices.allowlist"), std::string::npos);
}

TEST(ApplyManifest, CloudInitMakesAMicrovm) {
  auto manifest = web();
  manifest.cloud_init = CloudInit{"#cloud-config\n", {}, {}};
  const auto spec = apply_manifest({}, manifest, IsolationWish::kOpen, RestartWish::kOpen);
  ASSERT_TRUE(spec) << spec.error().message();
  EXPECT_EQ(spec->isolation, Isolation::kMicrovm);
  EXPECT_EQ(spec->cloud_init, manifest.cloud_init);
  EXPECT_EQ(apply_manifest({}, manifest, IsolationWish::kAsked, RestartWish::kOpen).error().code,
            ErrorCode::kUnsupported);
  EnvironmentSpec own;
  own.cloud_init = CloudInit{"#!/bin/sh\n", {}, {}};
  EXPECT_EQ(apply_manifest(own, manifest, IsolationWish::kOpen, RestartWish::kOpen)->cloud_init, own.cloud_init);
  manifest.cloud_init->user_data = "users: []";
  EXPECT_NE(validate(manifest).error().message().find("cloud_init.user_data"), std::string::npos);
}

TEST(ApplyManifest, ThePluginsRestartPolicyCountsUnlessOneWasChosen) {
  PluginManifest manifest;
  manifest.name = "web";
  manifest.image = "nginx";
  manifest.restart = RestartPolicy{.mode = RestartMode::kAlways};
  const auto apply = [&](const EnvironmentSpec& spec, RestartWish wish) {
    return apply_manifest(spec, manifest, IsolationWish::kOpen, wish);
  };
  EnvironmentSpec spec;
  EXPECT_EQ(apply(spec, RestartWish::kOpen)->restart.mode, RestartMode::kAlways);
  EXPECT_EQ(apply(spec, RestartWish::kAsked)->restart.mode, RestartMode::kNo);
  spec.auto_remove = true;
  EXPECT_TRUE(apply(spec, RestartWish::kAsked));
  const auto conflict = apply(spec, RestartWish::kOpen);
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(conflict.error().message().find("plugin \"web\""), std::string::npos) << conflict.error().message();
  EXPECT_NE(conflict.error().message().find("--restart no"), std::string::npos) << conflict.error().message();
  spec.restart.mode = RestartMode::kOnFailure;
  EXPECT_EQ(apply(spec, RestartWish::kAsked)->restart.mode, RestartMode::kOnFailure);
}

}  // namespace
}  // namespace skerry
