#include "oci/criu_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::oci {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;

// The bytes are written out by hand from the numbers in criu's rpc.proto.
TEST(CriuMessages, ARequestIsWhatTheProtocolSays) {
  CriuOptions options;
  options.images_fd = 5;
  options.pid = 300;
  options.leave_running = true;
  options.external = {"mnt[/a]:/a"};
  options.inherit = {{"pipe:[7]", 4}};
  const std::string bytes = encode_criu_request(CriuRequest::kDump, options);
  EXPECT_EQ(bytes.substr(0, 2), "\x08\x01"s);                              // type: DUMP
  EXPECT_THAT(bytes, HasSubstr("\x08\x05\x10\xac\x02\x18\x01"s));          // images_dir_fd, pid, leave_running
  EXPECT_THAT(bytes, HasSubstr("\xda\x01\x0c\x0a\x08pipe:[7]\x10\x04"s));  // inherit_fd { key, fd }
  EXPECT_THAT(bytes, HasSubstr("\xaa\x02\x0amnt[/a]:/a"s));                // external
  EXPECT_THAT(bytes, HasSubstr("\x90\x02\x03"s));                          // manage_cgroups_mode: SOFT
}

TEST(CriuMessages, ANotificationIsAnsweredWithItsType) {
  EXPECT_EQ(encode_criu_notified(true), "\x08\x06\x18\x01"s);
  EXPECT_EQ(encode_criu_notified(false), "\x08\x06\x18\x00"s);
}

TEST(CriuMessages, AnswersAreReadAndUnknownFieldsSkipped) {
  // type NOTIFY, success, notify { script, pid 300 }, and a field 99 of four bytes.
  const auto stage = decode_criu_answer("\x08\x06\x10\x01\x2a\x15\x0a\x10setup-namespaces\x10\xac\x02\x9d\x06...."s);
  ASSERT_TRUE(stage) << stage.error().message();
  EXPECT_EQ(stage->type, CriuRequest::kNotify);
  EXPECT_TRUE(stage->success);
  EXPECT_EQ(stage->notify_script, "setup-namespaces");
  EXPECT_EQ(stage->notify_pid, 300);

  const auto restored = decode_criu_answer("\x08\x02\x10\x01\x22\x03\x08\xac\x02"s);
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->restored_pid, 300);

  const auto failed = decode_criu_answer("\x08\x01\x10\x00\x38\x16\x4a\x03why"s);
  ASSERT_TRUE(failed);
  EXPECT_FALSE(failed->success);
  EXPECT_EQ(failed->error_number, 22);
  EXPECT_EQ(failed->error_text, "why");
}

TEST(CriuMessages, WhatIsCutShortIsRefused) {
  for (const auto& bytes : {"\x08"s, "\x2a\x7f"s, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s, "\x0b"s}) {
    EXPECT_FALSE(decode_criu_answer(bytes)) << bytes.size();
  }
}

}  // namespace
}  // namespace skerry::oci
