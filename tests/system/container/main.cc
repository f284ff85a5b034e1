// Own mount and network namespaces for everything below; see container_fixture.h. With --start-and-wait the program is
// the daemon that a test kills (container_crash_test.cc).
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/sys_namespace.h"
#include "container_victim.h"

namespace {

bool enter_own_namespaces() {
  const auto done = []() -> skerry::Status {
    TRY(skerry::sys::unshare(CLONE_NEWNS | CLONE_NEWNET));
    return skerry::sys::mount("", "/", "", MS_REC | MS_PRIVATE);
  }();
  if (!done) std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return done.has_value();
}

}  // namespace

int main(int argc, char** argv) {
  // Before any thread exists: the namespaces are this thread's, and those of all it starts.
  if (argc == 4 && std::strcmp(argv[1], "--start-and-wait") == 0) {
    return skerry::testing::start_and_wait(argv[2], argv[3]);
  }
  // As in skerryd: a conversation whose other side has gone is an error of write(2), not our end.
  std::signal(SIGPIPE, SIG_IGN);
  ::testing::InitGoogleTest(&argc, argv);
  if (!GTEST_FLAG_GET(list_tests) && ::geteuid() == 0 && !enter_own_namespaces()) return 1;
  return RUN_ALL_TESTS();
}
