// What goes wrong around a database: killed writers, full and read-only disks, damage, other people's files.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "store/store.h"
#include "store/testing.h"

namespace skerry {
namespace {

using store_testing::environment;
using store_testing::event;
using ::testing::HasSubstr;

// Whatever happened, a database obeys these.
void expect_sound(Store& store) {
  const auto environments = store.environments().value();
  const auto leases = store.leases().value();
  std::set<std::string> created;
  std::set<std::string> deleted;
  std::set<std::string> leased;
  std::uint64_t last = 0;
  const auto events = store.events({0, 1'000'000, "", ""}).value();
  for (const auto& found : events) {
    EXPECT_EQ(found.id, last + 1);
    last = found.id;
    if (found.type == "lease.taken") {
      EXPECT_TRUE(leased.insert(found.resource).second) << found.resource << " is taken twice";
    } else if (found.type == "lease.released") {
      EXPECT_EQ(leased.erase(found.resource), 1U) << found.resource << " is released, and was not taken";
    } else {
      (found.type == "container.deleted" ? deleted : created).insert(found.resource);
    }
  }
  EXPECT_EQ(leased.size(), leases.size()) << "and of addresses too";
  EXPECT_EQ(store.last_event_id().value(), last);
  EXPECT_EQ(environments.size(), leases.size()) << "each has one address";
  EXPECT_EQ(environments.size(), created.size() - deleted.size()) << "events tell exactly what is";
  for (const auto& found : environments) {
    EXPECT_TRUE(created.contains(found.spec.name));
    EXPECT_FALSE(deleted.contains(found.spec.name));
    EXPECT_FALSE(found.ip.empty());
  }
}

// Creates environments, deletes every other one, and reports each finished step as one byte.
[[noreturn]] void write_until_killed(const std::string& path, int round, int report_fd) {
  auto store = Store::open(path);
  if (!store) ::_exit(1);
  Zone zone;
  zone.subnet = "10.0.0.0/8";
  zone.gateway = "10.0.0.1";
  zone.pool_first = "10.0.0.2";
  zone.pool_last = "10.255.255.254";
  for (int i = 0;; ++i) {
    const auto made = (*store)->create_environment(environment(cat("r", round, "-", i)), zone);
    if (!made) ::_exit(2);
    if (::write(report_fd, "c", 1) != 1) ::_exit(3);
    if (i % 2 == 0) continue;
    if (!(*store)->delete_environment(made->id, {event("container.deleted", made->spec.name)})) ::_exit(4);
    if (::write(report_fd, "d", 1) != 1) ::_exit(5);
  }
}

TEST(StoreKilled, EveryReportedStepStandsAndNoneIsHalf) {
  const auto dir = TempDir::create("skerry-store-").value();
  const std::string path = dir / "skerry.db";
  std::size_t expected = 0;
  for (int round = 0; round < 8; ++round) {
    auto report = sys::pipe().value();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_until_killed(path, round, report.write_end.get());
    report.write_end.reset();
    // The kill meets a different moment each round.
    std::size_t made = 0;
    std::size_t deleted = 0;
    char step = 0;
    for (int i = 0; i < 20 + 7 * round && sys::read(report.read_end.get(), &step, 1).value() == 1; ++i) {
      ++(step == 'c' ? made : deleted);
    }
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed with " << WEXITSTATUS(status);
    while (sys::read(report.read_end.get(), &step, 1).value() == 1) ++(step == 'c' ? made : deleted);

    auto store = Store::open(path);
    ASSERT_TRUE(store) << store.error().message();
    expect_sound(**store);
    const std::size_t now = (*store)->environments().value().size();
    const std::size_t reported = expected + made - deleted;
    // At most one step was done and not yet reported.
    EXPECT_LE(now, reported + 1);
    EXPECT_GE(now + 1, reported);
    expected = now;
  }
}

// A file system of its own, small or read-only, seen only by this process.
class StoreOnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root (mounts)";
    ASSERT_TRUE(sys::unshare(CLONE_NEWNS));
    ASSERT_TRUE(sys::mount({}, "/", {}, MS_REC | MS_PRIVATE));
    ASSERT_TRUE(sys::mount("tmpfs", dir_.path(), "tmpfs", 0, "size=1m"));
    mounted_ = true;
  }
  void TearDown() override {
    const bool clean = !mounted_ || sys::umount(dir_.path(), MNT_DETACH).has_value();
    EXPECT_TRUE(clean);
  }
  TempDir dir_ = TempDir::create("skerry-store-").value();
  bool mounted_ = false;
};

TEST_F(StoreOnDisk, FullDiskRefusesAndRecovers) {
  auto store = Store::open(dir_ / "skerry.db").value();
  ASSERT_TRUE(store->create_environment(environment("before"), Zone{}));
  const Fd filler = sys::open(dir_ / "filler", O_WRONLY | O_CREAT, 0600).value();
  while (::write(filler.get(), std::string(4096, 'x').data(), 4096) > 0) {
  }
  Status status;
  int written = 0;
  auto noise = event("a.b", "before");
  noise.type = "container.updated";
  noise.data["noise"] = std::string(8192, 'n');
  while (status && written < 1000) {
    status = store->append_events({noise});
    written += status ? 1 : 0;
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kResourceExhausted) << status.error().message();
  const auto refused = store->create_environment(environment("during"), Zone{});
  EXPECT_FALSE(refused);
  EXPECT_EQ(store->environments().value().size(), 1U) << "reading goes on";
  ASSERT_TRUE(sys::unlink(dir_ / "filler"));
  ASSERT_TRUE(sys::ftruncate(filler.get(), 0));
  ASSERT_TRUE(store->create_environment(environment("after"), Zone{}));
  store.reset();
  store = Store::open(dir_ / "skerry.db").value();
  expect_sound(*store);
  EXPECT_EQ(store->environments().value().size(), 2U);
}

TEST_F(StoreOnDisk, OpeningOnAFullDiskSaysSo) {
  const Fd filler = sys::open(dir_ / "filler", O_WRONLY | O_CREAT, 0600).value();
  while (::write(filler.get(), std::string(4096, 'x').data(), 4096) > 0) {
  }
  const auto store = Store::open(dir_ / "skerry.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kResourceExhausted) << store.error().message();
}

TEST_F(StoreOnDisk, ReadOnlyFileSystemSaysSo) {
  {
    ASSERT_TRUE(Store::open(dir_ / "skerry.db"));
  }
  ASSERT_TRUE(sys::mount({}, dir_.path(), {}, MS_REMOUNT | MS_RDONLY));
  const auto store = Store::open(dir_ / "skerry.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kPermissionDenied) << store.error().message();
  EXPECT_THAT(store.error().message(), HasSubstr("skerry.db"));
}

TEST(StoreFile, MissingDirectorySaysSo) {
  const auto store = Store::open("/nonexistent-skerry/skerry.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kNotFound);
}

TEST(StoreFile, IsOnlyForItsOwner) {
  const auto dir = TempDir::create("skerry-store-").value();
  const auto store = Store::open(dir / "skerry.db").value();
  for (const auto* name : {"skerry.db", "skerry.db-wal", "skerry.db-shm"}) {
    EXPECT_EQ(sys::stat(dir / name).value().st_mode & 0777U, 0600U) << name;
  }
}

TEST(StoreFile, GarbageIsCorrupt) {
  const auto dir = TempDir::create("skerry-store-").value();
  ASSERT_TRUE(write_file_atomic(dir / "skerry.db", std::string(8192, 'g'), 0600));
  const auto store = Store::open(dir / "skerry.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt) << store.error().message();
}

TEST(StoreFile, DamageInsideIsFoundAtOpen) {
  const auto dir = TempDir::create("skerry-store-").value();
  {
    auto store = Store::open(dir / "skerry.db").value();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(store->create_environment(environment(cat("e", i)), {}));
  }
  store_testing::query(dir / "skerry.db", "PRAGMA wal_checkpoint(TRUNCATE)");
  std::string bytes = read_file(dir / "skerry.db").value();
  for (std::size_t at = 20 * 4096; at + 4096 < bytes.size(); at += 3 * 4096)
    bytes.replace(at, 64, std::string(64, '\xFF'));
  ASSERT_TRUE(write_file_atomic(dir / "skerry.db", bytes, 0600));
  const auto store = Store::open(dir / "skerry.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt) << store.error().message();
}

TEST(StoreFile, DatabaseOfAnotherProgramIsLeftAlone) {
  const auto dir = TempDir::create("skerry-store-").value();
  {
    SQLite::Database(dir / "x.db", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE theirs (a)");
  }
  const std::string before = read_file(dir / "x.db").value();
  const auto store = Store::open(dir / "x.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(store.error().message(), HasSubstr("another program"));
  EXPECT_EQ(read_file(dir / "x.db").value(), before);
}

TEST(StoreFile, NewerSchemaIsRefusedUntouched) {
  const auto dir = TempDir::create("skerry-store-").value();
  {
    ASSERT_TRUE(Store::open(dir / "skerry.db"));
  }
  store_testing::query(dir / "skerry.db", "PRAGMA user_version = 999");
  const auto store = Store::open(dir / "skerry.db");
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(store.error().message(), HasSubstr("999"));
  EXPECT_THAT(store.error().message(), HasSubstr("newer Skerry"));
  EXPECT_EQ(store_testing::query(dir / "skerry.db", "PRAGMA user_version"), "999");
}

}  // namespace
}  // namespace skerry
