#include "drivers/qemu/saved_run.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/unix_socket.h"

namespace skerry::qemu {
namespace {

constexpr std::uint64_t kMib = 1U << 20U;

// A VMM that sends this much, or as much as is taken.
struct Outcome {
  Status status;
  std::uint64_t written = 0;
};
Outcome receive(std::uint64_t sent, std::uint64_t most) {
  const auto dir = TempDir::create("stream").value();
  auto pair = unix_pair().value();
  std::thread vmm([&] {
    const std::string block(kMib / 4, 'x');
    for (std::uint64_t done = 0; done < sent; done += block.size()) {
      if (::send(pair.second.get(), block.data(), block.size(), MSG_NOSIGNAL) < 0) break;
    }
    pair.second.reset();
  });
  Outcome outcome;
  {
    const Fd file = sys::open(dir / "memory", O_WRONLY | O_CREAT, 0600).value();
    outcome.status = receive_stream(pair.first.get(), file.get(), most);
  }
  pair.first.reset();
  vmm.join();
  outcome.written = read_file(dir / "memory", 64 * kMib).value().size();
  return outcome;
}

TEST(ReceiveStream, TakesAllThatMayCome) {
  const auto outcome = receive(4 * kMib, 4 * kMib);
  EXPECT_TRUE(outcome.status) << outcome.status.error().message();
  EXPECT_EQ(outcome.written, 4 * kMib);
}

TEST(ReceiveStream, EndsOneThatIsLongerThanAMemoryCanBe) {
  const auto outcome = receive(40 * kMib, 4 * kMib);
  ASSERT_FALSE(outcome.status);
  EXPECT_EQ(outcome.status.error().code, ErrorCode::kResourceExhausted);
  EXPECT_NE(outcome.status.error().message().find("4 MiB"), std::string::npos) << outcome.status.error().message();
  EXPECT_LE(outcome.written, 4 * kMib);
}

}  // namespace
}  // namespace skerry::qemu
