#include "api/peer_stream.h"

#include <gtest/gtest.h>

namespace skerry::api {
namespace {

Conversation conversation(std::uint32_t session, bool plain) {
  Conversation peer;
  peer.session = session;
  peer.plain = plain;
  return peer;
}

TEST(PeerStream, FramesOfOtherSessionsAreNotItsOwn) {
  PeerStream peer(conversation(7, false));
  peer.feed(encode_frame(FrameKind::kStdout, 6, "not mine") + encode_frame(FrameKind::kStdout, 7, "mine"));
  const auto frame = peer.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->payload, "mine");
  const auto none = peer.next();
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  EXPECT_EQ(peer.encode(FrameKind::kStdin, "x"), encode_frame(FrameKind::kStdin, 7, "x"));
  EXPECT_FALSE(peer.exit_at_end());
}

TEST(PeerStream, WhatIsNoFrameIsAnError) {
  PeerStream peer(conversation(7, false));
  peer.feed(std::string(64, '\xff'));
  EXPECT_FALSE(peer.next());
}

TEST(PeerStream, APlainOneHasBytesOnly) {
  PeerStream peer(conversation(0, true));
  peer.feed("Linux ");
  peer.feed("version");
  const auto frame = peer.next();
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->kind, FrameKind::kStdout);
  EXPECT_EQ((*frame)->payload, "Linux version");
  EXPECT_EQ(peer.encode(FrameKind::kStdin, "ls\n"), "ls\n");
  EXPECT_EQ(peer.encode(FrameKind::kResize, encode_size({80, 24})), "");
  EXPECT_EQ(peer.encode(FrameKind::kStdinEof, ""), "");
  EXPECT_EQ(peer.exit_at_end(), encode_u32(0));
}

}  // namespace
}  // namespace skerry::api
