// `skerry plugins install` on a terminal, while what the manifest names is fetched.
#include <fcntl.h>
#include <sys/ioctl.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "api/cli_testing.h"
#include "base/file_io.h"
#include "base/text.h"

namespace skerry::api::testing {
namespace {

class CliInstallTest : public CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    images_.on_fetch = [this](const Artifact&, OperationProgress& progress) -> Status {
      progress.report("fetching the disk", 5U << 20U, 10U << 20U);
      const auto deadline = clock_.monotonic() + std::chrono::seconds(20);
      while (!come_ && !progress.cancelled() && clock_.monotonic() < deadline) std::this_thread::yield();
      if (come_) return {};
      return fail(ErrorCode::kCancelled, "cancelled");
    };
  }
  struct Installation {
    Child child;
    RawClient terminal;  // the other end of the one that its messages go to
  };
  Installation install() {
    Fd terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
    EXPECT_EQ(::unlockpt(terminal.get()), 0);
    const Fd inside(::ioctl(terminal.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    const winsize size{24, 100, 0, 0};
    EXPECT_EQ(::ioctl(inside.get(), TIOCSWINSZ, &size), 0);
    const Fd output(::open((dir_ / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const auto manifest = cat(R"({"name":"p","version":"1","runtime":"microvm","workload":{"entrypoint":["/x"]},)",
                              R"("rootfs":{"url":"https://x.test/disk","format":"raw","checksum":"sha256:)",
                              std::string(64, 'b'), R"("}})");
    SpawnSpec spec;
    spec.argv = {SKERRY_PROGRAM, "plugins", "install", "--manifest", manifest};
    spec.env = {{"SKERRY_SOCKET=" + config_.socket_path}};
    spec.fds = {{output.get(), 1}, {inside.get(), 2}};
    return {Child::spawn(spec).value(), RawClient(std::move(terminal))};
  }
  std::atomic<bool> come_ = false;
};

TEST_F(CliInstallTest, ShowsHowFarItIs) {
  auto [child, terminal] = install();
  EXPECT_NE(terminal.read_until("5.0 MiB of 10.0 MiB").find("fetching the disk  [============>"), std::string::npos);
  EXPECT_TRUE(store_->plugins()->empty());
  come_ = true;
  const auto status = child.wait(std::chrono::seconds(10));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->shell_code(), 0) << terminal.read_all();
  EXPECT_EQ(read_file(dir_ / "out").value(), "p 1\n");
  EXPECT_EQ(store_->plugins()->size(), 1U);
}

TEST_F(CliInstallTest, InterruptedItEndsTheOperation) {
  auto [child, terminal] = install();
  terminal.read_until("fetching the disk");
  ASSERT_TRUE(child.signal(SIGINT));
  const auto status = child.wait(std::chrono::seconds(10));
  ASSERT_TRUE(status);
  EXPECT_NE(status->shell_code(), 0);
  EXPECT_NE(terminal.read_all().find("plugin.install p@1 was cancelled"), std::string::npos);
  auto http = client();
  const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
  const auto state = [&] {
    return wire::JsonNode::parse(http.call("GET", "/api/v1/operations")->body)->items().at(0).text("state");
  };
  while (state() == "running" && clock_.monotonic() < deadline) std::this_thread::yield();
  EXPECT_EQ(state(), "cancelled");
  EXPECT_TRUE(store_->plugins()->empty());
}

}  // namespace
}  // namespace skerry::api::testing
