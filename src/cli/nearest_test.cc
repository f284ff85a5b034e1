#include "cli/nearest.h"

#include <gtest/gtest.h>

namespace skerry::cli {
namespace {

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> names{"run", "rm", "exec", "images", "restart", "start"};
  EXPECT_EQ(nearest("rnu", names), "run");
  EXPECT_EQ(nearest("image", names), "images");
  EXPECT_EQ(nearest("exce", names), "exec");
  EXPECT_EQ(nearest("strat", names), "start");
  EXPECT_EQ(nearest("fly", names), "");
  EXPECT_EQ(nearest("zones", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest(std::string(1000, 'r'), names), "");
}

}  // namespace
}  // namespace skerry::cli
