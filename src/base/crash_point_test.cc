#include "base/crash_point.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string_view>

namespace skerry {
namespace {

constexpr std::string_view kSteps[] = {"one", "two", "one", "three", "one"};

// How many of the steps a process survives that has this in its environment.
int survived(const char* crash_at) {
  void* page = ::mmap(nullptr, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* done = static_cast<volatile int*>(page);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("SKERRY_CRASH_AT", crash_at, 1);
    for (const auto step : kSteps) {
      crash_point(step);
      *done = *done + 1;
    }
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  const int count = *done;
  EXPECT_EQ(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, count < 5);
  ::munmap(page, sizeof(int));
  return count;
}

TEST(CrashPoint, EndsTheProcessAtTheOneOfThatNumber) {
  EXPECT_EQ(survived("1"), 0);
  EXPECT_EQ(survived("4"), 3);
  EXPECT_EQ(survived("6"), 5);
}

TEST(CrashPoint, EndsTheProcessWhenAStepOfThatBeginningIsReachedSoOften) {
  EXPECT_EQ(survived("1 three"), 3);
  EXPECT_EQ(survived("3 one"), 4);
  EXPECT_EQ(survived("2 t"), 3);
  EXPECT_EQ(survived("2 two"), 5);
}

TEST(CrashPoint, OnlyTellsWithZeroOrNonsense) {
  EXPECT_EQ(survived("0"), 5);
  EXPECT_EQ(survived("0 one"), 5);
  EXPECT_EQ(survived("one"), 5);
}

}  // namespace
}  // namespace skerry
