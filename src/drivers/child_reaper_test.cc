#include "drivers/child_reaper.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>

#include <cerrno>
#include <vector>

#include "base/sys_file.h"

namespace skerry {
namespace {

Child spawn(std::vector<std::string> argv, const std::vector<SpawnSpec::InheritFd>& fds = {}) {
  SpawnSpec spec;
  spec.argv = std::move(argv);
  spec.fds = fds;
  return Child::spawn(spec).value();
}

// Waits until the kernel has forgotten the process: until somebody reaped it.
bool is_reaped(pid_t pid) {
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + std::chrono::seconds(10);
  while (clock.monotonic() < deadline) {
    if (!process_start_time(pid)) return true;
    ::poll(nullptr, 0, 1);
  }
  return false;
}

TEST(ChildReaper, LeavesNoZombies) {
  ChildReaper reaper;
  std::vector<pid_t> pids;
  for (int i = 0; i < 20; ++i) {
    auto child = spawn({"true"});
    pids.push_back(child.pid());
    ASSERT_TRUE(reaper.adopt(std::move(child)));
  }
  for (const pid_t pid : pids) EXPECT_TRUE(is_reaped(pid)) << pid;
}

TEST(ChildReaper, DoesNotWaitForLivingChildrenAtItsEnd) {
  auto pipe = sys::pipe().value();
  pid_t pid = -1;
  {
    ChildReaper reaper;
    auto child = spawn({"cat"}, {{pipe.read_end.get(), 0}});
    pid = child.pid();
    ASSERT_TRUE(reaper.adopt(std::move(child)));
  }
  EXPECT_TRUE(process_start_time(pid));
  pipe.write_end.reset();
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

}  // namespace
}  // namespace skerry
