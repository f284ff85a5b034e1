#include "drivers/qemu/guest_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/manifest_codec.h"

namespace skerry::qemu {
namespace {

Launch sample() {
  Launch launch;
  launch.spec.name = "web-1";
  launch.spec.isolation = Isolation::kMicrovm;
  launch.image.emplace();
  launch.image->config.cmd = {"nginx", "-g", "daemon off;"};
  launch.image->config.stop_signal = "SIGQUIT";
  launch.network = NetworkAttachment{"vbr0", "192.168.127.100", 24, "192.168.127.1", "02:53:c0:a8:7f:64", {"9.9.9.9"}};
  return launch;
}

TEST(GuestPlan, TheDocumentSaysWhatTheImageSays) {
  const auto document = boot_document(sample());
  ASSERT_TRUE(document) << document.error().message();
  EXPECT_EQ(document->hostname, "web-1");
  EXPECT_EQ(document->root.mode, wire::RootMode::kDisk);
  EXPECT_THAT(document->workload.argv, testing::ElementsAre("nginx", "-g", "daemon off;"));
  EXPECT_EQ(document->stop_signal, 3);
  EXPECT_EQ(document->network->address, "192.168.127.100");
  EXPECT_FALSE(document->cloud_init);
  Launch launch = sample();
  launch.spec.cloud_init.emplace();
  EXPECT_TRUE(boot_document(launch)->cloud_init);
}

TEST(GuestPlan, RefusesWhatAMicrovmCannotDo) {
  Launch launch = sample();
  launch.spec.security.user_namespace = true;
  EXPECT_EQ(boot_document(launch).error().code, ErrorCode::kUnsupported);
  launch = sample();
  launch.image.reset();
  EXPECT_EQ(boot_document(launch).error().code, ErrorCode::kUnsupported);
}

TEST(GuestPlan, SharesAreNumberedFromTheRootOn) {
  Launch launch = sample();
  launch.spec.mounts = {{"/srv/a", "/a", true}, {"/srv/b", "/b", false}};
  auto document = boot_document(launch).value();
  ASSERT_EQ(document.mounts.size(), 2U);
  EXPECT_EQ(document.mounts[0].source, "0");
  EXPECT_TRUE(document.mounts[0].read_only);
  EXPECT_EQ(document.mounts[1].target, "/b");

  launch.image.reset();
  launch.spec.rootfs_path = "/srv/root";
  launch.spec.command = {"sh"};
  document = boot_document(launch).value();
  EXPECT_EQ(document.root.mode, wire::RootMode::kShare);
  EXPECT_FALSE(document.root.overlay);
  ASSERT_EQ(document.mounts.size(), 2U);
  EXPECT_EQ(document.mounts[0].source, "1");
  const auto shares = guest_shares(launch.spec);
  ASSERT_EQ(shares.size(), 3U);
  EXPECT_EQ(shares[0].source, "/srv/root");
  EXPECT_FALSE(shares[0].read_only);
  launch.spec.security.read_only_root = true;
  EXPECT_TRUE(boot_document(launch)->root.overlay) << "the host lets no mount point be made";
  EXPECT_TRUE(guest_shares(launch.spec)[0].read_only);
}

TEST(GuestPlan, NothingOfAUsersStandsOnTheCommandLine) {
  Launch launch = sample();
  const auto small = boot_document(launch).value();
  launch.spec.env["TOKEN"] = "s3cret";
  const auto document = boot_document(launch).value();
  for (const auto& each : {small, document}) {
    const auto line = command_line(each, {"nginx", {}, {}, 0}, 1);
    ASSERT_TRUE(line) << line.error().message();
    EXPECT_EQ(line->text.find("skerry.manifest="), std::string::npos);
    EXPECT_NE(line->text.find("skerry.manifest_disk=manifest"), std::string::npos);
    const std::string packed = line->manifest_disk.substr(18, line->manifest_disk.find('\n', 18) - 18);
    const auto back = wire::decode_boot_document(wire::decode_manifest(packed).value());
    ASSERT_TRUE(back) << back.error().message();
    EXPECT_EQ(wire::encode_boot_document(*back), wire::encode_boot_document(each));
  }
  EXPECT_EQ(command_line(small, {}, 1)->manifest_disk.size(), command_line(document, {}, 1)->manifest_disk.size());
}

TEST(GuestPlan, ASmallDocumentStandsOnTheCommandLine) {
  auto document = boot_document(sample()).value();
  document.workload = {};
  const auto line = command_line(document, {"nginx", {}, {}, 0}, 2'596'124);
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_TRUE(line->manifest_disk.empty());
  EXPECT_LE(line->text.size(), kMaxCommandLine);
  EXPECT_NE(line->text.find("tsc_early_khz=2596124 "), std::string::npos);
  EXPECT_NE(line->text.find(" skerry.plugin=nginx "), std::string::npos);
  const auto packed = line->text.substr(line->text.find("skerry.manifest=") + 16);
  const auto back = wire::decode_boot_document(wire::decode_manifest(packed).value());
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(wire::encode_boot_document(*back), wire::encode_boot_document(document));
}

// The keys of the microVM document.
TEST(GuestPlan, TheGuestIsToldWhatItIsAndWhereTheApiIs) {
  Launch launch = sample();
  launch.spec.plugin = "nginx";
  launch.network = NetworkAttachment{};
  launch.network->gateway = "10.7.0.1";
  const auto text = [&](std::uint16_t port) {
    return command_line(boot_document(launch).value(), guest_keys(launch, port), 1)->text;
  };
  EXPECT_NE(
      text(8080).find(" skerry.runtime=microvm skerry.plugin=nginx skerry.api_host=10.7.0.1 skerry.api_port=8080 "),
      std::string::npos);
  EXPECT_EQ(text(0).find("api_"), std::string::npos) << "none that listens, none that is told";
  launch.runtime = "my runtime init=/bin/sh";
  EXPECT_NE(text(0).find(R"( "skerry.runtime=my runtime init=/bin/sh" skerry.plugin=)"), std::string::npos);
  launch.network.reset();
  EXPECT_EQ(text(8080).find("api_"), std::string::npos);
  launch.runtime = "a\" init=/bin/sh";
  EXPECT_FALSE(command_line(boot_document(launch).value(), guest_keys(launch, 0), 1));
}

TEST(GuestPlan, ALargeDocumentGetsADisk) {
  auto document = boot_document(sample()).value();
  for (unsigned i = 0; i < 2000; ++i) document.workload.env.push_back("V" + std::to_string(i * 2654435761U) + "=x");
  const auto line = command_line(document, {}, 1);
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_LE(line->text.size(), kMaxCommandLine);
  EXPECT_NE(line->text.find("skerry.manifest_disk=manifest"), std::string::npos);
  EXPECT_EQ(line->manifest_disk.size() % 512, 0U);
  EXPECT_TRUE(line->manifest_disk.starts_with("skerry-manifest 1\n"));
}

}  // namespace
}  // namespace skerry::qemu
