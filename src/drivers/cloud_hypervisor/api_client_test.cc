#include "drivers/cloud_hypervisor/api_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <optional>

#include "base/sys_file.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::cloud_hypervisor {
namespace {

using ::testing::SizeIs;

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr std::string_view kDone = "HTTP/1.1 204 \r\nConnection: keep-alive\r\n\r\n";

// The VMM's end: what it shall answer is written before it is asked.
class ApiClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as skerryd does
    listener_ = unix_listen(dir_ / "api.sock", 0600).value();
    client_.emplace(ApiClient::connect(dir_ / "api.sock").value());
    vmm_ = unix_accept(listener_.get()).value();
  }
  void answer(std::string_view bytes) { ASSERT_TRUE(sys::write_all(vmm_.get(), bytes)); }
  ReceivedMessage heard() { return receive_with_fds(vmm_.get(), 65536).value(); }

  TempDir dir_ = TempDir::create("ch-api").value();
  Fd listener_;
  Fd vmm_;
  std::optional<ApiClient> client_;
};

TEST_F(ApiClientTest, OneConnectionCarriesCallAfterCall) {
  answer(cat("HTTP/1.1 200 \r\nContent-Length: 17\r\n\r\n", R"({"state":"Paus"})", "\n", kDone));
  EXPECT_EQ(client_->call(info(), kPatience).value(), "{\"state\":\"Paus\"}\n");
  EXPECT_EQ(client_->call(resume(), kPatience).value(), "");
  EXPECT_EQ(heard().data, cat(http_text(info()), http_text(resume())));
}

TEST_F(ApiClientTest, DescriptorsGoAlong) {
  answer(kDone);
  const auto pipe = sys::pipe().value();
  const auto request = add_net({"02:00:00:00:00:01", pipe.read_end.get()});
  ASSERT_TRUE(client_->call(request, kPatience, {pipe.read_end.get()}));
  const auto message = heard();
  EXPECT_EQ(message.data, http_text(request));
  EXPECT_THAT(message.fds, SizeIs(1));
}

TEST_F(ApiClientTest, ARefusalLeavesTheConnectionUsable) {
  answer(cat("HTTP/1.1 405 \r\nContent-Length: 2\r\n\r\n[]", kDone));
  EXPECT_EQ(client_->call(pause(), kPatience).error().code, ErrorCode::kConflict);
  EXPECT_TRUE(client_->call(boot(), kPatience));
}

TEST_F(ApiClientTest, AHostileVmmCostsNeitherTimeNorMemory) {
  answer("HTTP/1.1 200 \r\nContent-Le");
  EXPECT_EQ(client_->call(info(), std::chrono::milliseconds(30)).error().code, ErrorCode::kDeadlineExceeded);
  answer(cat("ngth: ", kMostAnswerBytes, "\r\n\r\n"));
  EXPECT_EQ(client_->call(info(), kPatience).error().code, ErrorCode::kResourceExhausted);
}

TEST_F(ApiClientTest, GarbageAndAnEndAreErrors) {
  answer("SSH-2.0-OpenSSH\r\n\r\n");
  EXPECT_EQ(client_->call(info(), kPatience).error().code, ErrorCode::kCorrupt);
  vmm_.reset();
  EXPECT_FALSE(client_->call(info(), kPatience));
  listener_.reset();
  EXPECT_EQ(ApiClient::connect(dir_ / "api.sock").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(ApiClient::connect(dir_ / "none.sock").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry::cloud_hypervisor
