// SCMP_ACT_NOTIFY: the listener of a filter travels from the process that loaded it to the agent of config.json.
//
//   process                          runtime                         agent (listenerPath)
//     seccomp(NEW_LISTENER)
//     ── kListener + descriptor ───▶ connects ── state document + descriptor ─▶ answers notifications
//     execve
//
// Source: config-linux.md "Seccomp", "The Container Process State"; seccomp_unotify(2). The process does not wait: its
// first call that is to be judged blocks until the agent has answered.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "wire/oci_spec.h"
#include "wire/oci_spec_state.h"

namespace skerry::oci {

struct ListenerTarget {
  const Seccomp* seccomp = nullptr;
  const ContainerRecord* record = nullptr;
  ContainerStatus status{};
  int pid = 0;  // of the process with the filter, as the host sees it
};

// Errors name /linux/seccomp/listenerPath.
Status hand_over_listener(const ListenerTarget& target, const Fd& listener);

}  // namespace skerry::oci
