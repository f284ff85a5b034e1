#include "store/migrations.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/temp_dir.h"
#include "base/text.h"
#include "store/testing.h"

namespace skerry::sql {
namespace {

class Migrations : public ::testing::Test {
 protected:
  std::unique_ptr<Connection> connect() { return Connection::open(path_, Access::kReadWrite).value(); }
  std::string ask(const std::string& sql) { return store_testing::query(path_, sql); }

  TempDir dir_ = TempDir::create("skerry-store-").value();
  const std::string path_ = dir_ / "x.db";
};

TEST_F(Migrations, EveryOlderVersionComesUpToTheNewestSchema) {
  const auto steps = migrations();
  ASSERT_TRUE(migrate(*connect(), steps));
  const std::string newest = ask("SELECT sql FROM sqlite_master ORDER BY name");
  for (std::size_t from = 0; from < steps.size(); ++from) {
    const TempDir dir = TempDir::create("skerry-store-").value();
    const auto connection = Connection::open(dir / "x.db", Access::kReadWrite).value();
    ASSERT_TRUE(migrate(*connection, steps.first(from)));
    ASSERT_TRUE(migrate(*connection, steps));
    EXPECT_EQ(store_testing::query(dir / "x.db", "SELECT sql FROM sqlite_master ORDER BY name"), newest);
    EXPECT_EQ(store_testing::query(dir / "x.db", "PRAGMA user_version"), cat(steps.size()));
  }
}

TEST_F(Migrations, StepsKeepTheDataAndRunOnce) {
  const std::vector<const char*> steps{"CREATE TABLE t (a INTEGER) STRICT; INSERT INTO t VALUES (1);",
                                       "ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT 'x';"};
  ASSERT_TRUE(migrate(*connect(), std::span(steps).first(1)));
  ASSERT_TRUE(migrate(*connect(), steps));
  ASSERT_TRUE(migrate(*connect(), steps));
  EXPECT_EQ(ask("SELECT a, b FROM t"), "1|x");
}

TEST_F(Migrations, FailingStepChangesNothingAndNamesItself) {
  const std::vector<const char*> steps{"CREATE TABLE t (a)", "CREATE TABLE u (a); SELECT nonsense;"};
  const auto status = migrate(*connect(), steps);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message().find("version 2"), std::string::npos) << status.error().message();
  EXPECT_EQ(ask("PRAGMA user_version"), "1");
  EXPECT_EQ(ask("SELECT name FROM sqlite_master"), "t");
}

TEST_F(Migrations, TablesAreStrict) {
  ASSERT_TRUE(migrate(*connect()));
  EXPECT_EQ(ask("SELECT name FROM pragma_table_list WHERE type = 'table' AND schema = 'main' AND NOT strict"
                " AND name NOT LIKE 'sqlite_%'"),
            "");
}

}  // namespace
}  // namespace skerry::sql
