#include "daemon/release.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

TEST(Release, PutsAnotherPathIntoEveryHierarchy) {
  EXPECT_EQ(with_cgroup_path("4:memory:/a/b\n3:cpu,cpuacct:/\n1:name=systemd:/x:y\n0::/\n", "/skerry"),
            "4:memory:/skerry\n3:cpu,cpuacct:/skerry\n1:name=systemd:/skerry\n0::/skerry\n");
  EXPECT_EQ(with_cgroup_path("nonsense\n\n", "/skerry"), "");
}

}  // namespace
}  // namespace skerry
