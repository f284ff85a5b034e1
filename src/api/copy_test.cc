// The real command line takes what an environment sends; here it sends archives that no copier makes.
#include <sys/stat.h>

#include "api/api_testing.h"
#include "archive/tar_writer.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

using Kind = TarEntry::Kind;

class CopyTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    add_running("web");
    serve();
    ASSERT_TRUE(sys::mkdir(dir_ / "to", 0755));
    ASSERT_TRUE(write_file_atomic(dir_ / "secret", "untouched", 0600));
  }

  struct Piece {
    Kind kind = Kind::kFile;
    std::string path;
    std::string text = {};  // content, or where a link leads
    mode_t mode = 0644;
  };
  // The answer to every copy out of the environment.
  void answer(const std::vector<Piece>& pieces) {
    std::string tar;
    auto writer = TarWriter::open([&](std::string_view bytes) -> Status {
      tar += bytes;
      return {};
    });
    for (const auto& piece : pieces) {
      TarEntry entry;
      entry.kind = piece.kind;
      entry.path = piece.path;
      entry.mode = piece.mode;
      if (piece.kind == Kind::kFile) {
        entry.size = piece.text.size();
      } else {
        entry.link_target = piece.text;
      }
      ASSERT_TRUE(writer->add(entry));
      if (entry.size == 0) continue;
      ASSERT_TRUE(writer->write(piece.text));
    }
    ASSERT_TRUE(writer->finish());
    ASSERT_TRUE(write_file_atomic(dir_ / "archive", tar, 0600));
  }

  int copy(std::vector<std::string> words) {
    SpawnSpec spec;
    spec.argv = {SKERRY_PROGRAM, "cp"};
    spec.argv.insert(spec.argv.end(), words.begin(), words.end());
    spec.env = {"SKERRY_SOCKET=" + config_.socket_path};
    const auto output = run_command(spec, std::chrono::seconds(20), 64U << 20U);
    EXPECT_TRUE(output) << output.error().message();
    if (!output) return -1;
    out_ = output->out;
    err_ = output->err;
    return output->status.shell_code();
  }
  void expect_nothing_outside() {
    EXPECT_EQ(read_file(dir_ / "secret").value_or(""), "untouched");
    EXPECT_FALSE(sys::exists(dir_ / "evil"));
  }

  std::string out_, err_;
};

TEST_F(CopyTest, WhatAnEnvironmentSendsStaysInItsPlace) {
  const std::string to = dir_ / "to";
  const std::vector<std::vector<Piece>> attacks{
      {{Kind::kFile, "../evil", "x"}},
      {{Kind::kFile, dir_ / "evil", "x"}},
      {{Kind::kFile, "other", "x"}},
      {{Kind::kDirectory, "", ""}, {Kind::kFile, "evil", "x"}},
      {{Kind::kSymlink, "x", ".."}, {Kind::kFile, "x/evil", "x"}},
      {{Kind::kDirectory, "x"}, {Kind::kSymlink, "x/up", "../.."}, {Kind::kFile, "x/up/evil", "x"}},
      {{Kind::kHardLink, "x", "../secret"}},
      {},
  };
  for (const auto& attack : attacks) {
    answer(attack);
    EXPECT_EQ(copy({"web:/x", to}), 1) << err_;
    expect_nothing_outside();
    ASSERT_TRUE(sys::remove_tree(to));
    ASSERT_TRUE(sys::mkdir(to, 0755));
  }
}

TEST_F(CopyTest, WhatComesOutSetsNoIdsAndSteersNoTerminal) {
  answer({{Kind::kFile, "x", "text", 06755}});
  EXPECT_EQ(copy({"web:/x", dir_ / "to"}), 0) << err_;
  EXPECT_EQ(sys::stat(dir_ / "to/x").value().st_mode & 07777U, 0755U);
  EXPECT_NE(err_.find("red"), std::string::npos);
  EXPECT_EQ(err_.find('\x1b'), std::string::npos);
}

TEST_F(CopyTest, TheAmountIsBounded) {
  answer({{Kind::kFile, "x", std::string(3U << 20U, 'x')}});
  EXPECT_EQ(copy({"--max-size", "1m", "web:/x", dir_ / "to"}), 1);
  EXPECT_FALSE(sys::exists(dir_ / "to/x"));
  EXPECT_EQ(copy({"--max-size", "4m", "--output", "json", "web:/x", dir_ / "to"}), 0) << err_;
  EXPECT_NE(out_.find("archive_bytes"), std::string::npos);
}

// What is copied into a hostile environment is answered with a flood. The client has little memory, and waits for
// input.
TEST_F(CopyTest, AFloodInAnswerIsNotKept) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer takes more memory for itself than the client may have here";
#endif
  ASSERT_TRUE(write_file_atomic(dir_ / "archive", std::string(128U << 20U, 'x'), 0600));
  const auto input = sys::pipe().value();
  SpawnSpec spec;
  spec.argv = {"sh", "-c", cat("ulimit -v 100000; exec ", SKERRY_PROGRAM, " cp - web:/x")};
  spec.env = {"SKERRY_SOCKET=" + config_.socket_path, "PATH=/usr/bin:/bin"};
  spec.fds.push_back({input.read_end.get(), 0});
  const auto output = run_command(spec, std::chrono::seconds(60), 64U << 20U);
  ASSERT_TRUE(output) << output.error().message();
  EXPECT_EQ(output->status.shell_code(), 1);
  EXPECT_NE(output->err.find("ended before it had everything"), std::string::npos) << output->err;
}

TEST_F(CopyTest, AStreamGoesThroughAsItIs) {
  answer({{Kind::kFile, "../anything", "x"}});
  EXPECT_EQ(copy({"web:/x", "-"}), 0) << err_;
  EXPECT_EQ(out_, read_file(dir_ / "archive").value());
}

TEST_F(CopyTest, NeedsFramesAndSaysWhatIsWrong) {
  const std::string path = "/api/v1/environments/web/copy";
  const std::string good = R"({"direction":"out","path":"/etc"})";
  EXPECT_EQ(client().call("POST", path, good)->status, 400);
  EXPECT_FALSE(client().upgrade(path, R"({"direction":"out","path":"etc"})"));
  EXPECT_FALSE(client().upgrade("/api/v1/environments/no/copy", good));
  EXPECT_EQ(copy({"web:/x"}), 2);
  EXPECT_EQ(copy({"/etc/hosts", "/tmp/x"}), 2);
  EXPECT_NE(err_.find("NAME:PATH"), std::string::npos);
  EXPECT_EQ(copy({"web:", "/tmp/x"}), 2);
  EXPECT_EQ(copy({"no:/x", "/tmp"}), 3);
}

}  // namespace
}  // namespace skerry::api::testing
