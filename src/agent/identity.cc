#include "agent/identity.h"

#include <fcntl.h>
#include <glob.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <tuple>
#include <vector>

#include "agent/guest_network.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr Duration kKeygenTimeout = std::chrono::seconds(30);
constexpr const char* kKeygen = "/usr/bin/ssh-keygen";

Status name_host(const std::string& hostname) {
  if (hostname.empty()) return {};
  if (::sethostname(hostname.c_str(), hostname.size()) < 0) return fail_errno("set the host name");
  return write_file_atomic("/etc/hostname", hostname + "\n", 0644);
}

Status renew_machine_id(const std::string& machine_id) {
  // Only where the guest has one (machine-id(5)): others never asked for it.
  if (machine_id.empty() || !sys::exists("/etc/machine-id")) return {};
  return write_file_atomic("/etc/machine-id", machine_id + "\n", 0444);
}

Status move_network(const wire::GuestIdentity& identity) {
  if (!identity.network) return {};
  wire::GuestNetwork network = *identity.network;
  if (!identity.new_mac.empty()) {
    TRY(change_mac(network.mac, identity.new_mac));
    network.mac = identity.new_mac;
  }
  TRY(configure_network(network));
  if (!network.dns.empty()) TRY(write_file_atomic("/etc/resolv.conf", resolv_conf(network), 0644));
  return write_file_atomic("/etc/hosts", hosts_file(identity.hostname, network.address), 0644);
}

// A guest without host keys gets none; one with keys but without the tool loses them: shared keys are worse than none.
Status renew_ssh_keys() {
  glob_t found{};
  if (::glob("/etc/ssh/ssh_host_*", 0, nullptr, &found) != 0) return {};
  for (std::size_t i = 0; i < found.gl_pathc; ++i) std::ignore = sys::unlink(found.gl_pathv[i]);
  ::globfree(&found);
  if (!sys::exists(kKeygen)) return {};
  SpawnSpec keygen;
  keygen.argv = {kKeygen, "-A"};
  const auto output = TRY_IN("renew SSH host keys", run_command(keygen, kKeygenTimeout));
  if (output.status.success()) return {};
  return fail(ErrorCode::kInternal, cat("ssh-keygen: ", output.status.describe()));
}

}  // namespace

Status reseed_random(std::string_view seed) {
  if (seed.empty()) return {};
  const Fd random = TRY(sys::open("/dev/urandom", O_RDWR));
  std::vector<int> buffer(sizeof(rand_pool_info) / sizeof(int) + (seed.size() + sizeof(int) - 1) / sizeof(int));
  auto* info = reinterpret_cast<rand_pool_info*>(buffer.data());
  info->entropy_count = static_cast<int>(seed.size() * 8);
  info->buf_size = static_cast<int>(seed.size());
  std::memcpy(info->buf, seed.data(), seed.size());
  if (::ioctl(random.get(), RNDADDENTROPY, info) < 0) return fail_errno("add entropy");
  if (::ioctl(random.get(), RNDRESEEDCRNG) < 0) return fail_errno("reseed the random generators");
  return {};
}

Status set_wall_clock(std::int64_t ns_since_epoch) {
  if (ns_since_epoch == 0) return {};
  const timespec time{ns_since_epoch / 1'000'000'000, ns_since_epoch % 1'000'000'000};
  if (::clock_settime(CLOCK_REALTIME, &time) < 0) return fail_errno("set the clock");
  return {};
}

Status become(const wire::GuestIdentity& identity) {
  TRY(reseed_random(identity.random_seed));
  TRY(set_wall_clock(identity.wall_clock_ns));
  TRY(name_host(identity.hostname));
  TRY(renew_machine_id(identity.machine_id));
  TRY(move_network(identity));
  if (identity.renew_ssh_host_keys) TRY(renew_ssh_keys());
  return {};
}

}  // namespace skerry::agent
