#include "image/minisign.h"

#include <gtest/gtest.h>

#include "base/file_io.h"
#include "base/process.h"
#include "base/temp_dir.h"
#include "image/watched_run.h"

namespace skerry {
namespace {

class Minisign : public testing::Test {
 protected:
  static void run(std::vector<std::string> argv) {
    SpawnSpec spec;
    spec.argv = std::move(argv);
    const auto ran = run_watched(spec, [] { return Status(); }, 1000);
    ASSERT_TRUE(ran) << ran.error().message();
    ASSERT_TRUE(ran->status.success()) << ran->err;
  }
  void make_key(const std::string& name) {
    run({"minisign", "-G", "-W", "-p", dir_ / (name + ".pub"), "-s", dir_ / (name + ".sec")});
  }
  std::string sign(const std::string& text, const std::string& name) {
    EXPECT_TRUE(write_file_atomic(dir_ / "text", text, 0600));
    run({"minisign", "-S", "-s", dir_ / (name + ".sec"), "-m", dir_ / "text", "-x", dir_ / "signature"});
    return read_file(dir_ / "signature").value();
  }
  TempDir dir_ = TempDir::create("minisign").value();
};

TEST_F(Minisign, OnlyATrustedKeysSignatureOfTheseBytesCounts) {
  make_key("ours");
  make_key("theirs");
  const std::string signature = sign("the text", "ours");
  const std::vector<std::string> both{dir_ / "theirs.pub", dir_ / "ours.pub"};
  const auto checked = check_signature("the text", signature, both);
  EXPECT_TRUE(checked) << checked.error().message();
  EXPECT_EQ(check_signature("the text.", signature, both).error().code, ErrorCode::kRefused);
  EXPECT_EQ(check_signature("the text", signature, {dir_ / "theirs.pub"}).error().code, ErrorCode::kRefused);
  EXPECT_EQ(check_signature("the text", "", both).error().code, ErrorCode::kRefused);
  EXPECT_EQ(check_signature("the text", "untrusted comment: x\nnonsense\n", both).error().code, ErrorCode::kRefused);
}

}  // namespace
}  // namespace skerry
