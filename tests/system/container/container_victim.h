// A daemon to be killed: a process of its own that starts one container.
#pragma once

#include <string>

#include "container_fixture.h"

namespace skerry::testing {

// What the victim starts: a shell that says "up" and sleeps.
Launch victim_launch(const HostPaths& paths, const std::string& id);
// The victim's main(): starts it, writes "started PID" to standard output, and waits to be killed.
int start_and_wait(const std::string& root, const std::string& id);

}  // namespace skerry::testing
