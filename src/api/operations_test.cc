// Long work that goes on when nobody serves any more.
#include <future>

#include "api/api_testing.h"

namespace skerry::api {
namespace {

using OperationsTest = testing::ApiTest;

TEST_F(OperationsTest, OneThatOutlivesTheServerStoresItsEvent) {
  std::promise<void> goes_on;
  images_.on_pull = [&](OperationProgress&) -> ImagePort::Outcome {
    goes_on.get_future().wait();
    return std::map<std::string, std::string>{{"name", "localhost/new:1"}};
  };
  serve();
  const auto answer = client().call("POST", "/api/v1/images", R"({"reference":"localhost/new:1"})");
  ASSERT_TRUE(answer) << answer.error().message();
  ASSERT_EQ(answer->status, 202) << answer->body;
  const auto id = operations_->list().at(0).id;
  server_.reset();
  goes_on.set_value();
  const auto seen = operations_->find(id)->version;
  const auto operation = operations_->wait(id, seen, std::chrono::seconds(10));
  ASSERT_TRUE(operation) << operation.error().message();
  EXPECT_EQ(operation->state, OperationState::kSucceeded) << operation->error.message();
  const auto events = store_->events({});
  ASSERT_TRUE(events) << events.error().message();
  ASSERT_EQ(events->size(), 1U);
  EXPECT_EQ(events->front().type, "image.pulled");
}

}  // namespace
}  // namespace skerry::api
