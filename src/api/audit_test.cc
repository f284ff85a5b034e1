#include "api/audit.h"

#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry::api {
namespace {

TEST(AuditTrail, RotatesAtItsLimitAndCutsWhatIsLong) {
  const auto dir = TempDir::create("skerry-audit").value();
  const std::string path = dir / "audit.log";
  const SystemClock clock;
  const auto trail = AuditTrail::open(path, clock, 2000).value();
  for (int i = 0; i < 20; ++i) trail->record({cat("POST /", std::string(10'000, 'x')), "root", cat("r", i), 200});
  const auto now = read_file(path).value();
  const auto before = read_file(path + ".1").value();
  EXPECT_LE(now.size(), 2000U);
  EXPECT_LE(before.size(), 2000U);
  EXPECT_NE(now.find("\"r19\""), std::string::npos) << "the newest is here";
  EXPECT_TRUE(now.ends_with("}\n") && before.ends_with("}\n"));
}

TEST(AuditTrail, GoesOnWhereItStopped) {
  const auto dir = TempDir::create("skerry-audit").value();
  const SystemClock clock;
  AuditTrail::open(dir / "a", clock).value()->record({"one", "root", "r1", 200});
  AuditTrail::open(dir / "a", clock).value()->record({"two", "root", "r2", 200});
  const auto all = read_file(dir / "a").value();
  EXPECT_TRUE(all.find("one") < all.find("two") && all.find("two") != std::string::npos);
}

}  // namespace
}  // namespace skerry::api
