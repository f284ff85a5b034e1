#include "agent/rehearse.h"

#include <sys/wait.h>
#include <unistd.h>

#include "agent/guest_network.h"
#include "agent/identity.h"
#include "agent/launch.h"
#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

constexpr const char* kFile = "/.skerry-rehearsal";

Status try_file(const std::string& content) {
  TRY(write_file_atomic(kFile, content, 0644));
  return sys::unlink(kFile);
}

Status try_network(wire::GuestNetwork network, const std::string& new_mac) {
  TRY(change_mac({}, new_mac));
  network.mac = new_mac;
  TRY(configure_network(network));
  // Takes its routes along (netdevice(7)).
  return clear_network(new_mac);
}

// Ourselves, who say a line and end.
Status try_process() {
  wire::GuestProcess process;
  process.argv = {"/proc/self/exe", "--version"};
  process.cwd = std::string("/");
  const auto launched = TRY(launch(process));
  int status = 0;
  if (::waitpid(launched.pid, &status, 0) < 0) return fail_errno("wait for the rehearsal");
  if (status != 0) return fail(ErrorCode::kInternal, "the rehearsal's process failed");
  return {};
}

}  // namespace

Status rehearse(const wire::AgentRequest& request) {
  const auto document = TRY(wire::decode_boot_document(request.document));
  TRY(reseed_random(request.identity.random_seed));
  TRY(set_wall_clock(request.identity.wall_clock_ns));
  if (::sethostname(document.hostname.data(), document.hostname.size()) < 0) return fail_errno("set the host name");
  TRY(try_file(hosts_file(document.hostname, document.network ? document.network->address : "")));
  if (document.network) TRY(try_network(*document.network, request.identity.new_mac));
  return try_process();
}

}  // namespace skerry::agent
