#include "drivers/qemu/cloud_seed.h"

#include <gtest/gtest.h>

#include <map>

namespace skerry::qemu {
namespace {

std::map<std::string, std::string> files_of(const Launch& launch) {
  const auto files = seed_files(launch);
  return {files.begin(), files.end()};
}

Launch web() {
  Launch launch;
  launch.place.id = "0123456789abcdef";
  launch.spec.name = "web";
  launch.spec.cloud_init.emplace();
  return launch;
}

TEST(CloudSeed, SaysWhoTheGuestIs) {
  auto launch = web();
  auto files = files_of(launch);
  EXPECT_EQ(files.at("meta-data"), "instance-id: \"0123456789abcdef\"\nlocal-hostname: \"web\"\n");
  EXPECT_EQ(files.at("user-data"), "#cloud-config\n");
  EXPECT_FALSE(files.contains("network-config"));
  EXPECT_FALSE(files.contains("vendor-data"));
  launch.spec.hostname = "www.example";
  EXPECT_NE(files_of(launch).at("meta-data").find("www.example"), std::string::npos);
}

TEST(CloudSeed, TheNetworkIsTheLeasedOneUnlessSaid) {
  auto launch = web();
  launch.network = NetworkAttachment{"br", "10.0.0.9", 24, "10.0.0.1", "02:00:00:00:00:09", {"10.0.0.1", "9.9.9.9"}};
  EXPECT_EQ(files_of(launch).at("network-config"),
            "version: 2\n"
            "ethernets:\n"
            "  eth0:\n"
            "    match:\n"
            "      macaddress: \"02:00:00:00:00:09\"\n"
            "    addresses: [\"10.0.0.9/24\"]\n"
            "    routes:\n"
            "      - to: 0.0.0.0/0\n"
            "        via: \"10.0.0.1\"\n"
            "    nameservers:\n"
            "      addresses: [\"10.0.0.1\", \"9.9.9.9\"]\n");
  launch.spec.cloud_init->network_config = "version: 1\n";
  launch.spec.cloud_init->vendor_data = "#!/bin/sh\n";
  EXPECT_EQ(files_of(launch).at("network-config"), "version: 1\n");
  EXPECT_EQ(files_of(launch).at("vendor-data"), "#!/bin/sh\n");
}

}  // namespace
}  // namespace skerry::qemu
