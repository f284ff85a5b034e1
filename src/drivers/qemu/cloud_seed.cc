#include "drivers/qemu/cloud_seed.h"

#include "base/text.h"

namespace skerry::qemu {
namespace {

// All of it is ours and plain: addresses, not texts of users.
std::string network_config(const NetworkAttachment& network) {
  std::string text = cat("version: 2\nethernets:\n  eth0:\n    match:\n      macaddress: \"", network.mac,
                         "\"\n    addresses: [\"", network.ip, "/", network.prefix, "\"]\n");
  if (!network.gateway.empty()) {
    text += cat("    routes:\n      - to: 0.0.0.0/0\n        via: \"", network.gateway, "\"\n");
  }
  if (!network.dns.empty()) {
    text += cat("    nameservers:\n      addresses: [\"", join(network.dns, "\", \""), "\"]\n");
  }
  return text;
}

}  // namespace

SeedFiles seed_files(const Launch& launch) {
  const auto& asked = *launch.spec.cloud_init;
  const auto& hostname = launch.spec.hostname.empty() ? launch.spec.name : launch.spec.hostname;
  SeedFiles files;
  files.emplace_back("meta-data", cat("instance-id: \"", launch.place.id, "\"\nlocal-hostname: \"", hostname, "\"\n"));
  // The source is only taken for one when this is there, be it empty.
  files.emplace_back("user-data", asked.user_data.empty() ? "#cloud-config\n" : asked.user_data);
  if (!asked.network_config.empty()) {
    files.emplace_back("network-config", asked.network_config);
  } else if (launch.network) {
    files.emplace_back("network-config", network_config(*launch.network));
  }
  if (!asked.vendor_data.empty()) files.emplace_back("vendor-data", asked.vendor_data);
  return files;
}

}  // namespace skerry::qemu
