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

// Version 5 puts versions of plugins side by side; version 4 is what the release before it wrote.
TEST_F(Migrations, PluginsOfOneVersionBecomeVersionsSideBySide) {
  ASSERT_TRUE(migrate(*connect(), migrations().first(4)));
  connect()->execute(R"sql(
    PRAGMA foreign_keys = ON;
    INSERT INTO plugins VALUES ('web', '1.2', 'r', '{"name":"web"}', 0, 7), ('idle', '3', '', '{}', 1, 8);
    INSERT INTO environments (id, name, isolation, kind, zone, plugin, cpu_cores, memory_mb, spec, state, goal, health,
                              reason, restarts, incarnation, created_at)
      VALUES ('a', 'a', 'microvm', 'app', 'default', 'web', 1.5, 64, '{"name":"a","plugin":"web"}', 'running', 'running',
              'unknown', '', 0, 1, 9),
             ('b', 'b', 'container', 'app', 'default', NULL, 1, 64, '{"name":"b"}', 'running', 'running', 'unknown', '',
              0, 1, 9);
    INSERT INTO ip_leases VALUES ('192.168.127.100', 'default', 'a', 1);
    INSERT INTO deployments (name, plugin, replicas, config, created_at, previous_plugin, previous_config)
      VALUES ('d', 'web', 2, '{}', 1, 'idle', '{}'), ('e', NULL, 1, '{}', 1, 'gone', '{}');
    INSERT INTO snapshots VALUES ('s', 'a', 'a', '{"plugin":"web"}', '', 0, 1, 1), ('t', 'b', 'b', '{}', '', 0, 1, 1);
  )sql");
  ASSERT_TRUE(migrate(*connect(), migrations().first(5)));
  EXPECT_EQ(ask("SELECT * FROM plugins ORDER BY name"), "idle|3||{}|1|8\nweb|1.2|r|{\"name\":\"web\"}|0|7");
  EXPECT_EQ(ask("SELECT name, plugin, plugin_version, spec FROM environments ORDER BY name"),
            "a|web|1.2|{\"name\":\"a\",\"plugin\":\"web\",\"plugin_version\":\"1.2\"}\nb|||{\"name\":\"b\"}");
  EXPECT_EQ(ask("SELECT name, plugin, plugin_version, previous_plugin, previous_plugin_version FROM deployments"),
            "d|web|1.2|idle|3\ne|||gone|");
  EXPECT_EQ(ask("SELECT spec FROM snapshots ORDER BY name"), "{\"plugin\":\"web\",\"plugin_version\":\"1.2\"}\n{}");
  EXPECT_EQ(ask("SELECT ip FROM ip_leases WHERE vm_id = 'a'"), "192.168.127.100");
  EXPECT_EQ(ask("PRAGMA foreign_key_check"), "");
  connect()->execute("INSERT INTO plugins VALUES ('web', '1.3', '', '{}', 1, 9)");
  // Going back: the release before refuses it, and leaves it alone.
  const auto refused = migrate(*connect(), migrations().first(4));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message().find("schema version 5, this Skerry knows only up to 4"), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(ask("SELECT count(*) FROM plugins"), "3");
}

// Version 6 brings zones; there was only the default one before, which is stored nowhere.
TEST_F(Migrations, ZonesBeginWithNoneBesideTheDefaultOne) {
  ASSERT_TRUE(migrate(*connect(), migrations().first(5)));
  connect()->execute(R"sql(
    INSERT INTO environments (id, name, isolation, kind, zone, cpu_cores, memory_mb, spec, state, goal, health,
                              reason, restarts, incarnation, created_at)
      VALUES ('a', 'a', 'container', 'app', 'default', 1, 64, '{"name":"a"}', 'running', 'running', 'unknown', '', 0, 1,
              9);
    INSERT INTO ip_leases VALUES ('192.168.127.100', 'default', 'a', 1);
  )sql");
  ASSERT_TRUE(migrate(*connect(), migrations().first(6)));
  EXPECT_EQ(ask("SELECT count(*) FROM zones"), "0");
  EXPECT_EQ(ask("SELECT zone FROM environments"), "default");
  EXPECT_EQ(ask("SELECT ip, zone, vm_id FROM ip_leases"), "192.168.127.100|default|a");
  const auto refused = migrate(*connect(), migrations().first(5));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("schema version 6, this Skerry knows only up to 5"), std::string::npos)
      << refused.error().message();
  EXPECT_EQ(ask("SELECT zone FROM environments"), "default");
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
