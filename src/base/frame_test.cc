#include "base/frame.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/sys_file.h"
#include "base/unix_socket.h"

namespace skerry {
namespace {

TEST(Frame, HasTheDocumentedBytes) {
  EXPECT_EQ(encode_frame(FrameKind::kStdout, 0x01020304, "hi"),
            std::string("\x02\0\0\0\x05\0\0\0\x04\x03\x02\x01hi", 14));
}

TEST(Frame, SurvivesEveryCut) {
  const std::string stream = encode_frame(FrameKind::kStdin, 7, "first") + encode_frame(FrameKind::kExit, 7, "") +
                             encode_frame(FrameKind::kResume, 1, std::string(300, 'x'));
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    FrameParser parser;
    std::vector<Frame> frames;
    for (const auto part : {std::string_view(stream).substr(0, cut), std::string_view(stream).substr(cut)}) {
      parser.feed(part);
      while (auto frame = parser.next().value()) frames.push_back(std::move(*frame));
    }
    ASSERT_EQ(frames.size(), 3U) << cut;
    EXPECT_EQ(frames[0].payload, "first");
    EXPECT_EQ(frames[1].kind, FrameKind::kExit);
    EXPECT_EQ(frames[2].payload.size(), 300U);
    EXPECT_EQ(parser.pending(), 0U);
  }
}

TEST(Frame, RefusesWhatIsNotAFrameForGood) {
  const auto broken = [](std::string header) {
    FrameParser parser;
    parser.feed(header);
    EXPECT_EQ(parser.next().error().code, ErrorCode::kCorrupt);
    parser.feed(encode_frame(FrameKind::kStdin, 0, "good"));
    return !parser.next().has_value();
  };
  EXPECT_TRUE(broken(std::string("\0\0\0\0\0\0\0\0\0\0\0\0", 12)));        // kind 0
  EXPECT_TRUE(broken(std::string("\0\0\0\0\x0f\0\0\0\0\0\0\0", 12)));      // kind 15
  EXPECT_TRUE(broken(std::string("\0\0\0\0\x05\0\x01\0\0\0\0\0", 12)));    // padding
  EXPECT_TRUE(broken(std::string("\x01\0\x04\0\x05\0\0\0\0\0\0\0", 12)));  // longer than allowed
}

TEST(Frame, HoldsNoMoreThanOneFrame) {
  FrameParser parser;
  const std::string frame = encode_frame(FrameKind::kStdout, 0, std::string(kMaxFramePayload, 'x'));
  for (int i = 0; i < 8; ++i) {
    parser.feed(frame);
    EXPECT_TRUE(parser.next().value().has_value());
    EXPECT_FALSE(parser.next().value().has_value());
    EXPECT_EQ(parser.pending(), 0U);
  }
}

TEST(Frame, NumbersAndSizesSurviveTheRoundTrip) {
  EXPECT_EQ(decode_u32(encode_u32(0xFFFFFFFF)).value(), 0xFFFFFFFFU);
  EXPECT_FALSE(decode_u32("123"));
  EXPECT_EQ(decode_size(encode_size({65535, 1})).value(), (TerminalSize{65535, 1}));
  EXPECT_FALSE(decode_size(""));
}

TEST(Frame, BlockingReadsAndWritesMeet) {
  auto pair = unix_pair().value();
  std::thread writer([&] {
    EXPECT_TRUE(write_frame(pair.first.get(), FrameKind::kStdout, 3, std::string(kMaxFramePayload, 'y')));
    pair.first.reset();
  });
  FrameParser parser;
  EXPECT_EQ(read_frame(pair.second.get(), parser).value()->payload.size(), kMaxFramePayload);
  EXPECT_FALSE(read_frame(pair.second.get(), parser).value().has_value());
  writer.join();
}

TEST(Frame, AStreamThatEndsInsideAFrameIsCorrupt) {
  auto pipe = sys::pipe().value();
  ASSERT_TRUE(sys::write_all(pipe.write_end.get(), encode_frame(FrameKind::kStdin, 0, "abc").substr(0, 13)));
  pipe.write_end.reset();
  FrameParser parser;
  EXPECT_EQ(read_frame(pipe.read_end.get(), parser).error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace skerry
