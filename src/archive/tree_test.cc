// A tree to a tar and back; and tars of strangers.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "archive/tree_testing.h"

namespace skerry {
namespace {

using Kind = TarEntry::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(Tree, ComesBackAsItWas) {
  ASSERT_TRUE(sys::mkdir_all(path("from/sub/empty"), 0755));
  make("from/a", "content of a");
  make("from/sub/b", std::string(300'000, 'b'));
  ASSERT_TRUE(sys::link(path("from/a"), path("from/sub/a-again")));
  ASSERT_TRUE(sys::symlink("../nowhere", path("from/sub/link")));
  ASSERT_TRUE(sys::chmod(path("from/a"), 04751));
  ASSERT_TRUE(sys::chmod(path("from/sub"), 0500));
  const timespec times[2] = {{1, 0}, {1'234'567'890, 123'456'789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path("from/a").c_str(), times, 0), 0);
  ASSERT_EQ(::utimensat(AT_FDCWD, path("from/sub").c_str(), times, 0), 0);

  const auto tar = packed(path("from"));
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  const auto done = unpack(tar, path("to"), {.top = "from"});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(done->entries, 7U);
  EXPECT_EQ(done->bytes, 300'012U);
  EXPECT_EQ(content("to/from/a"), "content of a");
  EXPECT_EQ(content("to/from/sub/b"), std::string(300'000, 'b'));
  EXPECT_EQ(sys::readlink(path("to/from/sub/link")).value(), "../nowhere");
  const auto a = sys::stat(path("to/from/a")).value();
  EXPECT_EQ(a.st_mode & 07777U, 04751U);
  EXPECT_EQ(a.st_mtim.tv_sec, 1'234'567'890);
  EXPECT_EQ(a.st_mtim.tv_nsec, 123'456'789);
  EXPECT_EQ(a.st_ino, sys::stat(path("to/from/sub/a-again")).value().st_ino);
  const auto sub = sys::stat(path("to/from/sub")).value();
  EXPECT_EQ(sub.st_mode & 07777U, 0500U);
  EXPECT_EQ(sub.st_mtim.tv_nsec, 123'456'789);
  EXPECT_TRUE(sys::exists(path("to/from/sub/empty")));
  EXPECT_EQ(packed(path("to/from")), tar);
  EXPECT_THAT(notes_, IsEmpty());
}

TEST_F(Tree, ContentThatNobodyReadsIsNoHeader) {
  const auto tar = tar_of({entry(Kind::kFile, "a"), entry(Kind::kFile, "b")}, std::string(100'000, 'x'));
  auto reader = reader_of(tar, {.max_header_bytes = 4096}).value();
  EXPECT_EQ(reader.next().value()->path, "a");
  const auto second = reader.next();
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ((*second)->path, "b");
  EXPECT_FALSE(reader.next().value());
}

TEST_F(Tree, OwnersAreKeptUnlessNot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_TRUE(sys::mkdir(path("from"), 0755));
  make("from/a", "x");
  ASSERT_TRUE(sys::chown(path("from/a"), 1234, 4321));
  const auto tar = packed(path("from"));
  for (const auto* to : {"kept", "mine"}) ASSERT_TRUE(sys::mkdir(path(to), 0755));
  ASSERT_TRUE(unpack(tar, path("kept")));
  EXPECT_EQ(sys::stat(path("kept/from/a")).value().st_uid, 1234U);
  EXPECT_EQ(sys::stat(path("kept/from/a")).value().st_gid, 4321U);
  ASSERT_TRUE(unpack(tar, path("mine"), {.keep_owners = false}));
  EXPECT_EQ(sys::stat(path("mine/from/a")).value().st_uid, 0U);
}

TEST_F(Tree, SetIdsAreLeftOutWhereAsked) {
  make("a", "x");
  ASSERT_TRUE(sys::chmod(path("a"), 06755));
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(packed(path("a")), path("to"), {.keep_set_ids = false}));
  EXPECT_EQ(sys::stat(path("to/a")).value().st_mode & 07777U, 0755U);
}

TEST_F(Tree, WhatIsNoFileIsLeftOutWithANote) {
  ASSERT_TRUE(sys::mkdir(path("from"), 0755));
  ASSERT_EQ(::mkfifo(path("from/pipe").c_str(), 0644), 0);
  make("from/a", "x");
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(packed(path("from")), path("to")));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("from/pipe")));
  EXPECT_TRUE(sys::exists(path("to/from/a")));

  notes_.clear();
  auto device = entry(Kind::kCharDevice, "null");
  device.device_major = 1;
  device.device_minor = 3;
  ASSERT_TRUE(unpack(tar_of({device, entry(Kind::kFifo, "pipe")}), path("to")));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("null"), HasSubstr("pipe")));
  EXPECT_FALSE(sys::exists(path("to/null")));
}

TEST_F(Tree, FilesOfProcSayThatTheyAreEmptyAndAreNot) {
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(packed("/proc/version"), path("to")));
  EXPECT_THAT(content("to/version"), HasSubstr("Linux"));
}

TEST_F(Tree, TheTopIsTheLinkOrWhatItLeadsTo) {
  make("a", "x");
  ASSERT_TRUE(sys::symlink("a", path("link")));
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(packed(path("link")), path("to")));
  EXPECT_EQ(sys::readlink(path("to/link")).value(), "a");
  ASSERT_TRUE(unpack(packed(path("link"), {.follow_top = true}), path("to")));
  EXPECT_EQ(content("to/link"), "x");
  EXPECT_FALSE(sys::readlink(path("to/link")));
}

TEST_F(Tree, TargetsAsCpHasThem) {
  ASSERT_TRUE(sys::mkdir(path("dir"), 0755));
  make("file", "old");
  ASSERT_TRUE(sys::symlink("file", path("link")));
  ASSERT_TRUE(sys::symlink("nothing", path("dangling")));
  EXPECT_EQ(open_copy_target(path("dir"), "a", EndLink::kFollow)->as, "");
  EXPECT_EQ(open_copy_target(path("new"), "a", EndLink::kFollow)->as, "new");
  EXPECT_FALSE(open_copy_target(path("new"), "a", EndLink::kFollow)->must_be_directory);
  EXPECT_TRUE(open_copy_target(path("new/"), "a", EndLink::kFollow)->must_be_directory);
  EXPECT_EQ(open_copy_target(path("link"), "a", EndLink::kFollow)->as, "file");
  EXPECT_EQ(open_copy_target(path("dangling"), "a", EndLink::kFollow).error().code, ErrorCode::kConflict);
  EXPECT_EQ(open_copy_target(path("no/new"), "a", EndLink::kFollow).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(open_copy_target(path("made"), ".", EndLink::kFollow));
  EXPECT_TRUE(sys::exists(path("made")));
  EXPECT_FALSE(open_copy_target(path("file"), ".", EndLink::kFollow));

  make("a", "new");
  const auto put = [&](const std::string& to) -> Status {
    const auto target = TRY(open_copy_target(path(to), "a", EndLink::kFollow));
    TRY(unpack(packed(path("a")), cat("/proc/self/fd/", target.directory.get()),
               {.top = "a", .as = target.as, .top_must_be_directory = target.must_be_directory}));
    return {};
  };
  EXPECT_TRUE(put("link"));
  EXPECT_EQ(content("file"), "new");
  EXPECT_EQ(sys::readlink(path("link")).value(), "file");
  EXPECT_TRUE(put("dir"));
  EXPECT_EQ(content("dir/a"), "new");
  EXPECT_TRUE(put("other"));
  EXPECT_EQ(content("other"), "new");
  EXPECT_THAT(put("missing/").error().message(), HasSubstr("there is no directory"));
}

// What an environment sent the first time must not say where the second copy goes.
TEST_F(Tree, ALinkAtTheEndOfAnUntrustedCopyIsReplacedAndNeverFollowed) {
  ASSERT_TRUE(sys::mkdir_all(path("host/cron.d"), 0755));
  make("host/keys", "untouched");
  make("a", "new");
  const auto put = [&](const std::string& to, const std::string& tar, const std::string& top) -> Status {
    const auto target = TRY(open_copy_target(path(to), top, EndLink::kReplace));
    TRY(unpack(tar, cat("/proc/self/fd/", target.directory.get()),
               {.top = top == "." ? "" : top, .as = target.as, .top_must_be_directory = target.must_be_directory}));
    return {};
  };
  // A night's copy brings a link, the next one's a file.
  ASSERT_TRUE(put("dump", tar_of({entry(Kind::kSymlink, "a", path("host/keys"))}), "a"));
  ASSERT_EQ(sys::readlink(path("dump")).value(), path("host/keys"));
  ASSERT_TRUE(put("dump", packed(path("a")), "a"));
  EXPECT_EQ(content("host/keys"), "untouched");
  EXPECT_FALSE(sys::readlink(path("dump")));
  EXPECT_EQ(content("dump"), "new");
  // To nowhere: the name it leads to is not made either.
  ASSERT_TRUE(sys::symlink(path("host/made"), path("dangling")));
  ASSERT_TRUE(put("dangling", packed(path("a")), "a"));
  EXPECT_FALSE(sys::exists(path("host/made")));
  // To a directory: neither into it nor in its place, unless it is asked for.
  ASSERT_TRUE(sys::symlink(path("host/cron.d"), path("jobs")));
  EXPECT_EQ(put("jobs", packed(path("a")), "a").error().code, ErrorCode::kConflict);
  EXPECT_EQ(put("jobs", packed(path("host")), ".").error().code, ErrorCode::kConflict);
  EXPECT_THAT(sys::list_directory(path("host/cron.d")).value(), IsEmpty());
  ASSERT_TRUE(put("jobs/", packed(path("a")), "a"));
  EXPECT_EQ(content("host/cron.d/a"), "new");
  // And a directory never goes to where a link leads.
  ASSERT_TRUE(sys::symlink(path("host/none"), path("tree")));
  EXPECT_FALSE(put("tree", packed(path("host")), "host"));
  EXPECT_FALSE(sys::exists(path("host/none")));
  ASSERT_FALSE(put("tree", packed(cat(path("host"), "/.")), "."));
  EXPECT_FALSE(sys::exists(path("host/none")));
}

TEST_F(Tree, NamesOfTops) {
  EXPECT_EQ(name_of_top("/etc/hosts").value(), "hosts");
  EXPECT_EQ(name_of_top("dir///").value(), "dir");
  EXPECT_EQ(name_of_top("dir/.").value(), ".");
  EXPECT_EQ(name_of_top("/").value(), ".");
  EXPECT_EQ(name_of_top(".").value(), ".");
  EXPECT_FALSE(name_of_top("a/.."));
  EXPECT_FALSE(name_of_top(""));
}

// ── tars of strangers ──

TEST_F(Tree, NothingLeavesTheDirectory) {
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(sys::mkdir(path("outside"), 0755));
  make("outside/secret", "untouched");
  const auto refused = [&](const std::vector<TarEntry>& entries) {
    const auto done = unpack(tar_of(entries, "evil"), path("to"));
    EXPECT_FALSE(done) << entries.back().path;
    EXPECT_EQ(content("outside/secret"), "untouched") << entries.back().path;
    EXPECT_FALSE(sys::exists(path("outside/new"))) << entries.back().path;
  };
  refused({entry(Kind::kFile, "../outside/new")});
  refused({entry(Kind::kFile, "a/../../outside/new")});
  refused({entry(Kind::kFile, path("outside/new"))});
  refused({entry(Kind::kSymlink, "x", path("outside")), entry(Kind::kFile, "x/new")});
  refused({entry(Kind::kSymlink, "y", "../outside"), entry(Kind::kDirectory, "y/new")});
  refused({entry(Kind::kSymlink, "z", ".."), entry(Kind::kSymlink, "z/outside/new", "/")});
  refused({entry(Kind::kSymlink, "w", "../outside"), entry(Kind::kDirectory, "w")});
  refused({entry(Kind::kHardLink, "h", "../outside/secret")});
  refused({entry(Kind::kHardLink, "h", "x/secret")});
}

TEST_F(Tree, NamesAreBounded) {
  std::vector<TarEntry> many;
  for (int i = 0; i < 200; ++i) {
    many.push_back(entry(i % 2 == 0 ? Kind::kFile : Kind::kDirectory, cat(std::string(90, 'n'), i)));
  }
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(sys::mkdir(path("all"), 0755));
  EXPECT_EQ(unpack(tar_of(many), path("to"), {.max_names_bytes = 10'000}).error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(unpack(tar_of(many), path("all"), {.max_names_bytes = 200'000}));
}

TEST_F(Tree, NothingIsWrittenThroughWhatWasThere) {
  ASSERT_TRUE(sys::mkdir_all(path("to/dir"), 0755));
  make("secret", "untouched");
  ASSERT_TRUE(sys::symlink("../secret", path("to/link")));
  ASSERT_TRUE(sys::link(path("secret"), path("to/other-name")));
  ASSERT_TRUE(sys::symlink("..", path("to/up")));
  ASSERT_TRUE(unpack(tar_of({entry(Kind::kFile, "link"), entry(Kind::kFile, "other-name")}, "new"), path("to")));
  EXPECT_EQ(content("secret"), "untouched");
  EXPECT_EQ(content("to/link"), "new");
  EXPECT_EQ(content("to/other-name"), "new");
  EXPECT_FALSE(unpack(tar_of({entry(Kind::kFile, "up/secret")}, "new"), path("to")));
  EXPECT_EQ(content("secret"), "untouched");
  // Nor does one kind of thing take the place of the other.
  EXPECT_FALSE(unpack(tar_of({entry(Kind::kFile, "dir")}, "new"), path("to")));
  EXPECT_FALSE(unpack(tar_of({entry(Kind::kDirectory, "link")}), path("to")));
  // A hard link leads to what this archive brought, not to what was there.
  EXPECT_FALSE(unpack(tar_of({entry(Kind::kHardLink, "mine", "link")}), path("to")));
  EXPECT_EQ(sys::list_directory(path("to")).value(), (std::vector<std::string>{"dir", "link", "other-name", "up"}));
}

TEST_F(Tree, OnlyWhatWasAskedForIsTaken) {
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  EXPECT_TRUE(unpack(tar_of({entry(Kind::kFile, "report")}, "x"), path("to"), {.top = "report"}));
  EXPECT_FALSE(unpack(tar_of({entry(Kind::kFile, "report2")}, "x"), path("to"), {.top = "report"}));
  EXPECT_FALSE(unpack(tar_of({entry(Kind::kFile, "other")}, "x"), path("to"), {.top = "report"}));
  EXPECT_FALSE(unpack(tar_of({entry(Kind::kDirectory, "")}), path("to"), {.top = "report"}));
  EXPECT_FALSE(unpack(tar_of({}), path("to")));
  ASSERT_TRUE(unpack(
      tar_of({entry(Kind::kDirectory, "a"), entry(Kind::kFile, "a/b"), entry(Kind::kHardLink, "a/c", "a/b")}, "x"),
      path("to"), {.top = "a", .as = "new"}));
  EXPECT_EQ(content("to/new/c"), "x");
  EXPECT_FALSE(sys::exists(path("to/a")));
}

TEST_F(Tree, TheAmountIsBounded) {
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  const std::vector<TarEntry> three{entry(Kind::kFile, "a"), entry(Kind::kFile, "b"), entry(Kind::kFile, "c")};
  const auto tar = tar_of(three, std::string(1000, 'x'));
  EXPECT_EQ(unpack(tar, path("to"), {}, {.max_entries = 2}).error().code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(unpack(tar, path("to"), {}, {.max_content_bytes = 2500}).error().code, ErrorCode::kResourceExhausted);
  EXPECT_FALSE(sys::exists(path("to/c")));
  EXPECT_TRUE(unpack(tar, path("to"), {}, {.max_entries = 3, .max_content_bytes = 3000}));
}

TEST_F(Tree, WhatIsCutShortIsAnErrorAndLeavesNoHalfFile) {
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  make("to/a", "old");
  const auto tar = tar_of({entry(Kind::kFile, "a")}, std::string(5000, 'x'));
  EXPECT_EQ(unpack(tar.substr(0, 3000), path("to")).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(sys::list_directory(path("to")).value(), std::vector<std::string>{"a"});
  EXPECT_EQ(content("to/a"), "old");
  EXPECT_FALSE(unpack("this is no tar, but long enough to be looked at" + std::string(2000, '.'), path("to")));
}

}  // namespace
}  // namespace skerry
