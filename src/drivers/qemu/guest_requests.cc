#include "drivers/qemu/guest_requests.h"

#include <sys/random.h>

#include "base/clock.h"
#include "base/text.h"
#include "drivers/qemu/guest_plan.h"

namespace skerry::qemu {
namespace {

// Bytes of the host's random pool that a fork's own pool starts from.
constexpr std::size_t kSeedBytes = 64;
constexpr const char* kRehearsalMac = "02:53:00:00:00:01";

Result<std::string> random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  if (::getrandom(bytes.data(), size, 0) != static_cast<ssize_t>(size)) return fail_errno("getrandom");
  return bytes;
}

}  // namespace

Result<wire::AgentRequest> boot_request(const wire::BootDocument& document) {
  wire::AgentRequest request;
  request.op = wire::AgentOp::kBoot;
  request.document = wire::encode_boot_document(document);
  if (document.network) request.identity.new_mac = document.network->mac;
  request.identity.random_seed = TRY(random_bytes(kSeedBytes));
  request.identity.wall_clock_ns = SystemClock().now().ns;
  return request;
}

Result<wire::AgentRequest> rehearsal_request(bool with_network) {
  wire::BootDocument document;
  document.hostname = "rehearsal";
  document.root.mode = wire::RootMode::kDisk;
  if (with_network) {
    // Nobody's: RFC 5737 (TEST-NET-1), and a MAC address of local administration.
    auto& network = document.network.emplace();
    network.mac = kRehearsalMac;
    network.address = "192.0.2.2";
    network.gateway = "192.0.2.1";
  }
  auto request = TRY(boot_request(document));
  request.op = wire::AgentOp::kRehearse;
  return request;
}

Result<wire::AgentRequest> identity_request(const Launch& launch) {
  wire::AgentRequest request;
  request.op = wire::AgentOp::kIdentity;
  auto& identity = request.identity;
  identity.random_seed = TRY(random_bytes(kSeedBytes));
  identity.wall_clock_ns = SystemClock().now().ns;
  identity.renew_ssh_host_keys = !launch.saved.empty();
  if (launch.saved.empty()) return request;
  constexpr std::size_t kMachineIdBytes = 16;
  identity.machine_id = to_hex(TRY(random_bytes(kMachineIdBytes)));
  const auto document = TRY(boot_document(launch));
  identity.hostname = document.hostname;
  identity.network = document.network;
  if (!identity.network) return request;
  identity.new_mac = identity.network->mac;
  identity.network->mac.clear();  // the one card it has, whatever it was called
  return request;
}

}  // namespace skerry::qemu
