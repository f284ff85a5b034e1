#include "oci/seccomp_listener.h"

#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::oci {

Status hand_over_listener(const ListenerTarget& target, const Fd& listener) {
  if (target.seccomp == nullptr || !listener) {
    return fail(ErrorCode::kInternal, "a seccomp listener that nobody asked for");
  }
  const std::string place = cat("/linux/seccomp/listenerPath (", target.seccomp->listener_path, ")");
  const Fd agent = TRY_IN(place, unix_connect(target.seccomp->listener_path));
  const std::string state =
      seccomp_state_document(*target.record, target.status, target.pid, target.seccomp->listener_metadata);
  return annotate(send_with_fds(agent.get(), state, {listener.get()}), place);
}

}  // namespace skerry::oci
