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

TEST(SavedRun, AFileIsWhatItWasOrRefused) {
  const auto dir = TempDir::create("saved").value();
  const SavedRun first{dir.path()};
  const SavedRun other{dir / "other"};
  ASSERT_TRUE(write_file_atomic(first.memory(), "a memory", 0600));
  ASSERT_TRUE(write_file_atomic(first.machine(), "a machine", 0600));
  EXPECT_TRUE(check_file(first.memory(), first.memory_was())) << "of a version that noted nothing";
  ASSERT_TRUE(note_file(first.memory(), first.memory_was()));
  ASSERT_TRUE(share_memory(first, other));
  EXPECT_TRUE(check_file(first.memory(), first.memory_was()));
  EXPECT_TRUE(check_file(other.memory(), other.memory_was()));
  // Another file of the same size in its place.
  ASSERT_TRUE(write_file_atomic(first.memory(), "b memory", 0600));
  const auto changed = check_file(first.memory(), first.memory_was());
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(check_file(other.memory(), other.memory_was()));
  ASSERT_TRUE(forget_memory(other));
  EXPECT_TRUE(check_file(other.memory(), other.memory_was()));
  ASSERT_TRUE(sys::unlink(first.memory()));
  EXPECT_FALSE(check_file(first.memory(), first.memory_was()));
}

}  // namespace
}  // namespace skerry::qemu
