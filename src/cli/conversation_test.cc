#include "cli/conversation.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <csignal>

#include "base/unix_socket.h"

namespace skerry::cli {
namespace {

// Waits for us, blocked, before there is a conversation that could take it.
void have_pending(int number) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, number);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
  ASSERT_EQ(::raise(number), 0);
}

TEST(Conversation, ASignalEndsUsOnALine) {
  auto pair = unix_pair().value();
  for (const int number : {SIGTERM, SIGHUP, SIGINT}) {
    have_pending(number);
    ConversationForm form;
    form.line = true;
    EXPECT_EQ(converse({Fd(::dup(pair.first.get())), {}, {}}, form), 128 + number);
  }
}

TEST(Conversation, ASignalGoesToTheProcess) {
  auto pair = unix_pair().value();
  have_pending(SIGTERM);
  // The process ends of it, as it will see it.
  ASSERT_TRUE(write_frame(pair.second.get(), FrameKind::kExit, 0, encode_u32(7)));
  EXPECT_EQ(converse({std::move(pair.first), {}, {}}, {}), 7);
  FrameParser parser;
  const auto frame = read_frame(pair.second.get(), parser);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->kind, FrameKind::kSignal);
  EXPECT_EQ(decode_u32((*frame)->payload), static_cast<std::uint32_t>(SIGTERM));
}

}  // namespace
}  // namespace skerry::cli
