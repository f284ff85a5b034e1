// What a tar of a tree keeps beside content: extended attributes and holes.
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <memory>

#include "archive/copied_xattrs.h"
#include "archive/tree_testing.h"
#include "base/sparse_copy.h"
#include "base/sys_at.h"

namespace skerry {
namespace {

using Kind = TarEntry::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// ── extended attributes ──

constexpr const char* kCapability = "security.capability";
// cap_net_raw=ep (include/uapi/linux/capability.h: struct vfs_cap_data, revision 2 with the effective bit).
const std::string kNetRaw = {1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

class TreeXattrs : public Tree {
 protected:
  void SetUp() override {
    make("probe", "");
    if (!set("probe", "user.probe", "x")) GTEST_SKIP() << "the file system of /tmp has no extended attributes";
  }
  bool set(std::string_view name, const std::string& attribute, std::string_view value) {
    const Fd file = sys::open(path(name), O_RDONLY).value();
    return sys::fsetxattr(file.get(), attribute, value).has_value();
  }
  std::string get(std::string_view name, const std::string& attribute) {
    const Fd file = sys::open(path(name), O_RDONLY).value();
    return sys::fgetxattr(file.get(), attribute).value_or("(none)");
  }
  static TarRules keeping(CopiedXattrs kept) {
    TarRules rules;
    rules.keep_xattr = [kept](std::string_view name) { return is_copied(kept, name); };
    return rules;
  }
};

TEST_F(TreeXattrs, OfFilesAndDirectoriesAreKept) {
  ASSERT_TRUE(sys::mkdir_all(path("from/sub"), 0755));
  make("from/a", "x");
  make("from/empty", "");
  const std::string bytes("any\0\n=bytes", 11);
  ASSERT_TRUE(set("from/a", "user.one", bytes));
  ASSERT_TRUE(set("from/a", "user.two", ""));
  ASSERT_TRUE(set("from/empty", "user.one", "of nothing"));
  ASSERT_TRUE(set("from/sub", "user.one", "of a directory"));
  ASSERT_TRUE(sys::chmod(path("from/sub"), 0500));
  const auto tar = packed(path("from"), {.xattrs = CopiedXattrs::kUser});
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(tar, path("to"), {}, keeping(CopiedXattrs::kUser)));
  EXPECT_EQ(get("to/from/a", "user.one"), bytes);
  EXPECT_EQ(get("to/from/a", "user.two"), "");
  EXPECT_EQ(get("to/from/empty", "user.one"), "of nothing");
  EXPECT_EQ(get("to/from/sub", "user.one"), "of a directory");
  EXPECT_THAT(notes_, IsEmpty());
  // Nobody who did not ask gets any, from neither end.
  ASSERT_TRUE(sys::mkdir(path("none"), 0755));
  ASSERT_TRUE(unpack(tar, path("none")));
  EXPECT_EQ(get("none/from/a", "user.one"), "(none)");
  EXPECT_EQ(packed(path("from")).find("user.one"), std::string::npos);
}

TEST_F(TreeXattrs, CapabilitiesAreKeptWhereTheyAreWanted) {
  make("a", "x");
  if (!set("a", kCapability, kNetRaw)) GTEST_SKIP() << "needs the right to give capabilities to a file (root)";
  const auto tar = packed(path("a"), {.xattrs = CopiedXattrs::kUserAndCapabilities});
  for (const auto* to : {"in", "out"}) ASSERT_TRUE(sys::mkdir(path(to), 0755));
  ASSERT_TRUE(unpack(tar, path("in"), {}, keeping(CopiedXattrs::kUserAndCapabilities)));
  EXPECT_EQ(get("in/a", kCapability), kNetRaw) << "and not lost by the change of its owner";
  // A stranger who sends them gives nobody any.
  ASSERT_TRUE(unpack(tar, path("out"), {}, keeping(CopiedXattrs::kUser)));
  EXPECT_EQ(get("out/a", kCapability), "(none)");
  EXPECT_EQ(packed(path("a"), {.xattrs = CopiedXattrs::kUser}).find(kCapability), std::string::npos);
}

TEST_F(TreeXattrs, WhatKernelsObeyIsNotCopied) {
  for (const auto* name : {"trusted.overlay.opaque", "user.overlay.redirect", "security.selinux", "security.ima",
                           "system.posix_acl_access", "user", ""}) {
    EXPECT_FALSE(is_copied(CopiedXattrs::kUserAndCapabilities, name)) << name;
  }
  EXPECT_FALSE(is_copied(CopiedXattrs::kNone, "user.x"));
  make("a", "x");
  ASSERT_TRUE(set("a", "user.overlay.opaque", "y"));
  EXPECT_EQ(packed(path("a"), {.xattrs = CopiedXattrs::kUser}).find("overlay"), std::string::npos);
  auto lying = entry(Kind::kFile, "b");
  lying.xattrs = {{"trusted.overlay.opaque", "y"}, {"user.overlay.opaque", "y"}, {"user.plain", "z"}};
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(tar_of({lying}), path("to"), {}, keeping(CopiedXattrs::kUser)));
  const Fd file = sys::open(path("to/b"), O_RDONLY).value();
  EXPECT_THAT(sys::flistxattr(file.get()).value(), ElementsAre("user.plain"));
}

TEST_F(TreeXattrs, OnesThatTarsDoNotAgreeOnAreLeftOutWithANote) {
  make("a", "x");
  ASSERT_TRUE(set("a", "user.a=b", "1"));
  ASSERT_TRUE(set("a", "user.c", "2"));
  const auto tar = packed(path("a"), {.xattrs = CopiedXattrs::kUser});
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("user.a=b")));
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(tar, path("to"), {}, keeping(CopiedXattrs::kUser)));
  EXPECT_EQ(get("to/a", "user.c"), "2");
}

TEST_F(TreeXattrs, WhereThereAreNoneTheContentCountsAll) {
  // No file of /proc has any, and no kernel before 6.6 lets files of memory have user.*: the note says so.
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(packed("/proc/version", {.xattrs = CopiedXattrs::kUser}), path("to")));
  auto device = entry(Kind::kFile, "a");
  device.xattrs = {{"user.", "a name that no file system takes"}, {"user.good", "y"}};
  ASSERT_TRUE(unpack(tar_of({device}, "content"), path("to"), {}, keeping(CopiedXattrs::kUser)));
  EXPECT_EQ(content("to/a"), "content");
}

// As bsdtar writes them: SCHILY.xattr and LIBARCHIVE.xattr, of one value.
TEST_F(TreeXattrs, EachInTwoFormsIsOne) {
  std::string tar;
  const auto take = [](archive*, void* into, const void* bytes, std::size_t size) {
    static_cast<std::string*>(into)->append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
  };
  const std::unique_ptr<archive, int (*)(archive*)> writer(::archive_write_new(), ::archive_write_free);
  ::archive_write_set_format_pax(writer.get());
  ASSERT_EQ(::archive_write_open2(writer.get(), &tar, nullptr, take, nullptr, nullptr), ARCHIVE_OK);
  const std::unique_ptr<archive_entry, void (*)(archive_entry*)> header(::archive_entry_new(), ::archive_entry_free);
  ::archive_entry_set_pathname(header.get(), "a");
  ::archive_entry_set_filetype(header.get(), AE_IFREG);
  ::archive_entry_set_perm(header.get(), 0644);
  ::archive_entry_set_uid(header.get(), ::getuid());
  ::archive_entry_set_gid(header.get(), ::getgid());
  ::archive_entry_xattr_add_entry(header.get(), "user.one", "1", 1);
  ASSERT_EQ(::archive_write_header(writer.get(), header.get()), ARCHIVE_OK);
  ASSERT_EQ(::archive_write_close(writer.get()), ARCHIVE_OK);
  ASSERT_NE(tar.find("LIBARCHIVE.xattr"), std::string::npos);
  ASSERT_NE(tar.find("SCHILY.xattr"), std::string::npos);
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  const auto done = unpack(tar, path("to"), {}, keeping(CopiedXattrs::kUser));
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(get("to/a", "user.one"), "1");
}

// ── holes ──

class TreeHoles : public Tree {
 protected:
  static constexpr std::uint64_t kMib = 1U << 20U;

  void make_sparse(std::string_view name, std::uint64_t size, const std::vector<std::uint64_t>& written) {
    const Fd file = sys::open(path(name), O_RDWR | O_CREAT, 0644).value();
    ASSERT_TRUE(sys::ftruncate(file.get(), size));
    for (const auto offset : written) ASSERT_TRUE(sys::pwrite_all(file.get(), cat("data at ", offset), offset));
  }
  std::vector<FileExtent> extents(std::string_view name) {
    const Fd file = sys::open(path(name), O_RDONLY).value();
    std::vector<FileExtent> found;
    for (std::uint64_t at = 0;;) {
      const auto data = next_data(file.get(), at).value();
      if (!data) return found;
      found.push_back(*data);
      at = data->offset + data->length;
    }
  }
};

TEST_F(TreeHoles, AreKeptAndNotRead) {
  ASSERT_TRUE(sys::mkdir(path("from"), 0755));
  // More than anybody could read, with data at its ends, in its middle, or nowhere.
  const std::vector<std::vector<std::uint64_t>> kinds{{}, {0}, {3ULL << 30U}, {0, kMib, 5 * kMib}};
  for (std::size_t i = 0; i < kinds.size(); ++i) make_sparse(cat("from/", i), 1ULL << 42U, kinds[i]);
  make_sparse("from/end", 10 * kMib + 5, {10 * kMib - 20});
  const auto tar = packed(path("from"), {.sparse = true});
  EXPECT_LT(tar.size(), kMib);
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  TarRules rules;
  rules.max_content_bytes = 1ULL << 43U << 1U;
  const auto done = unpack(tar, path("to"), {}, rules);
  ASSERT_FALSE(done) << "they count by their full length";
  rules.max_content_bytes <<= 1U;
  const auto all = unpack(tar, path("to"), {}, rules);
  ASSERT_TRUE(all) << all.error().message();
  for (const auto* name : {"0", "1", "2", "3", "end"}) {
    EXPECT_EQ(sys::stat(path(cat("to/from/", name)))->st_size, sys::stat(path(cat("from/", name)))->st_size) << name;
    EXPECT_EQ(extents(cat("to/from/", name)), extents(cat("from/", name))) << name;
  }
  EXPECT_EQ(content("to/from/end"), content("from/end"));
  const Fd file = sys::open(path("to/from/3"), O_RDONLY).value();
  std::string data(7, ' ');
  ASSERT_EQ(sys::pread(file.get(), data.data(), data.size(), 5 * kMib).value(), 7U);
  EXPECT_EQ(data, "data at");
  EXPECT_EQ(packed(path("to/from"), {.sparse = true}), tar);
}

TEST_F(TreeHoles, AreZerosForWhomDoesNotKnowThem) {
  make_sparse("a", 3 * kMib, {kMib});
  const auto tar = packed(path("a"));
  EXPECT_GT(tar.size(), 3 * kMib);
  EXPECT_EQ(tar.find("GNU.sparse"), std::string::npos);
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  ASSERT_TRUE(unpack(tar, path("to")));
  EXPECT_EQ(content("to/a"), content("a"));
}

TEST_F(TreeHoles, OfAFileInVeryManyPiecesAreKeptInPart) {
  make_sparse("a", 20 * kMib, {0, 2 * kMib, 4 * kMib, 6 * kMib, 8 * kMib});
  const auto all = extents("a");
  const auto tar = packed(path("a"), {.sparse = true, .max_pieces = 3});
  EXPECT_GT(tar.size(), 16 * kMib);
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  const auto done = unpack(tar, path("to"));
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(content("to/a"), content("a"));
  EXPECT_THAT(extents("to/a"), ElementsAre(all.at(0), all.at(1), FileExtent{4 * kMib, 16 * kMib}));
}

// The longest map that our own end writes is no stranger's.
TEST_F(TreeHoles, ThatWeTellAreTaken) {
  std::vector<FileExtent> pieces;
  pieces.reserve(PackOptions().max_pieces);
  for (std::uint64_t i = 0; i < PackOptions().max_pieces; ++i) pieces.push_back({(1ULL << 62U) + i * 8192, 4096});
  std::string tar;
  auto writer = TarWriter::open([&](std::string_view bytes) -> Status {
    tar += bytes.substr(0, tar.size() < 8 * kMib ? bytes.size() : 0);
    return {};
  });
  auto file = entry(Kind::kFile, "a");
  file.size = (1ULL << 62U) + (1ULL << 40U);
  ASSERT_TRUE(writer->add_sparse(file, pieces));
  ASSERT_TRUE(writer->finish());
  TarRules rules;
  rules.max_content_bytes = 1ULL << 63U;
  auto reader = reader_of(tar, rules).value();
  const auto read = reader.next();
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ((*read)->size, file.size);
}

class StrangersHoles : public TreeHoles {
 protected:
  // A map of holes, and zeros for what it announces, at most so many that they leave the writer's buffer.
  static std::string map_of(std::uint64_t size, const std::vector<FileExtent>& data) {
#ifdef __SANITIZE_ADDRESS__
    // A tar that is given up: libarchive 3.6 frees its output buffer only where it can close.
    const __lsan::ScopedDisabler known;
#endif
    std::string tar;
    auto writer = TarWriter::open([&](std::string_view bytes) -> Status {
      tar += bytes;
      return {};
    });
    auto file = entry(Kind::kFile, "a");
    file.uid = ::getuid();
    file.gid = ::getgid();
    file.size = size;
    EXPECT_TRUE(writer->add_sparse(file, data));
    const bool is_much = !data.empty() && data.front().length > kMib / 4;
    EXPECT_TRUE(is_much ? writer->write_zeros(data.front().offset + kMib / 4) : writer->finish());
    return tar;
  }
  // For how many bytes of a file it is refused, and nothing left.
  Error refused(const std::string& tar) {
    EXPECT_TRUE(sys::mkdir_all(path("to"), 0755));
    const auto done = unpack(tar, path("to"), {}, {.max_content_bytes = 1U << 30U});
    EXPECT_FALSE(done);
    EXPECT_THAT(sys::list_directory(path("to")).value(), IsEmpty());
    return done ? Error{} : done.error();
  }
};

TEST_F(StrangersHoles, ThatClaimTheWorldAreRefused) {
  EXPECT_EQ(refused(map_of(1ULL << 60U, {})).code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused(map_of(1ULL << 60U, {{0, 1ULL << 59U}})).code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused(map_of((1ULL << 63U) - 1, {{1, 1}})).code, ErrorCode::kResourceExhausted);
  EXPECT_EQ(refused(map_of(kMib, {{0, kMib / 2}})).code, ErrorCode::kCorrupt) << "it ends early";
}

TEST_F(StrangersHoles, HaveABoundedMap) {
  std::vector<FileExtent> pieces;
  pieces.reserve(1'000'000);
  for (std::uint64_t i = 0; i < 1'000'000; ++i) pieces.push_back({i * 8192, 1});
  const auto tar = map_of(1'000'000 * 8192ULL, pieces);
  ASSERT_GT(tar.size(), 10 * kMib);
  ASSERT_TRUE(sys::mkdir(path("to"), 0755));
  TarRules rules;
  rules.max_content_bytes = 1ULL << 40U;
  const auto done = unpack(tar, path("to"), {}, rules);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(done.error().message(), HasSubstr("header"));
}

}  // namespace
}  // namespace skerry
