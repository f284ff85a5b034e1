#include "agent/vsock.h"

#include <gtest/gtest.h>

namespace skerry::agent {
namespace {

TEST(Vsock, ChannelIsKindAndPort) {
  EXPECT_EQ(parse_vsock_channel("vsock:1024").value(), 1024U);
  for (const auto* text :
       {"", "vsock", "vsock:", "vsock:x", "vsock:1024:2", "vsock:-1", "vsock:4294967296", "tcp:80"}) {
    const auto port = parse_vsock_channel(text);
    ASSERT_FALSE(port) << text;
    EXPECT_EQ(port.error().code, ErrorCode::kInvalidArgument) << text;
  }
}

// No host behind it, or no vsock at all: an error when the patience is over, not a wait for ever.
TEST(Vsock, NobodyThereIsAnErrorInTime) { EXPECT_FALSE(connect_to_host(4294967294, std::chrono::milliseconds(20))); }

}  // namespace
}  // namespace skerry::agent
