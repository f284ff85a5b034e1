#include "api/event_hub.h"

#include <gtest/gtest.h>
#include <poll.h>

#include "base/temp_dir.h"
#include "base/text.h"

namespace skerry::api {
namespace {

class EventHubTest : public ::testing::Test {
 protected:
  void SetUp() override {
    store_->on_events([this](std::uint64_t last_id) { hub_.ring(last_id); });
    hub_.start();
  }
  void store(std::size_t count) {
    std::vector<Event> events;
    for (std::size_t i = 0; i < count; ++i) events.push_back({0, "vm.created", cat("e", i), {}, clock_.now()});
    ASSERT_TRUE(store_->append_events(events));
  }
  // Follows the bell until `last` has come; the ids that came, in order.
  std::vector<std::uint64_t> follow(const EventHub::Bell& bell, std::uint64_t from, std::uint64_t last) {
    std::vector<std::uint64_t> ids;
    while (ids.empty() || ids.back() < last) {
      bell.clear();
      const auto frames = hub_.after(ids.empty() ? from : ids.back(), 500);
      if (!frames) break;
      for (const auto& each : *frames) ids.push_back(each->event.id);
      pollfd waiter{bell.fd(), POLLIN, 0};
      if (frames->empty() && ::poll(&waiter, 1, 10'000) != 1) break;
    }
    return ids;
  }
  static std::vector<std::uint64_t> range(std::uint64_t first, std::uint64_t last) {
    std::vector<std::uint64_t> out;
    for (auto id = first; id <= last; ++id) out.push_back(id);
    return out;
  }

  TempDir dir_ = TempDir::create("event-hub").value();
  SystemClock clock_;
  std::unique_ptr<Store> store_ = Store::open(dir_ / "db").value();
  EventHub hub_{*store_};
};

TEST_F(EventHubTest, ReadersShareTheFrames) {
  const auto one = hub_.subscribe().value();
  const auto two = hub_.subscribe().value();
  store(700);
  EXPECT_EQ(follow(*one, 0, 700), range(1, 700));
  EXPECT_EQ(follow(*two, 0, 700), range(1, 700));
  EXPECT_EQ(hub_.after(0, 1)->front(), hub_.after(0, 1)->front()) << "the same one, not a copy";
  EXPECT_EQ(hub_.after(699, 10)->front()->text, "id: 700\nevent: vm.created\ndata: {}\n\n");
  EXPECT_TRUE(hub_.after(700, 10)->empty());
}

// The ring is bounded: who is further behind is sent to the store, and is back when it has caught up.
TEST_F(EventHubTest, WhoFallsBehindIsSentToTheStore) {
  const auto bell = hub_.subscribe().value();
  const std::uint64_t last = EventHub::kMaxFrames + 500;
  for (std::uint64_t stored = 0; stored < last; stored += 500) {
    store(500);
    ASSERT_EQ(follow(*bell, stored, stored + 500), range(stored + 1, stored + 500));
  }
  EXPECT_FALSE(hub_.reaches(0));
  EXPECT_EQ(hub_.after(0, 10), std::nullopt);
  const std::uint64_t oldest = hub_.last_id() - EventHub::kMaxFrames;
  EXPECT_EQ(hub_.after(oldest, 1)->front()->event.id, oldest + 1);
  EXPECT_EQ(hub_.after(oldest - 1, 1), std::nullopt);
}

TEST_F(EventHubTest, WithoutReadersNothingIsKept) {
  {
    const auto bell = hub_.subscribe().value();
    store(10);
    ASSERT_EQ(follow(*bell, 0, 10), range(1, 10));
  }
  store(1);
  const auto deadline = clock_.monotonic() + std::chrono::seconds(10);
  while (hub_.reaches(10) && clock_.monotonic() < deadline) std::this_thread::yield();
  EXPECT_FALSE(hub_.reaches(10)) << "what came while nobody read is the store's";
  EXPECT_TRUE(hub_.reaches(11));
  const auto late = hub_.subscribe().value();
  store(5);
  EXPECT_EQ(follow(*late, 11, 16), range(12, 16));
}

TEST(EventFilters, PassWhatTheStoreWouldGive) {
  const Event event{1, "vm.created", "web", {}, {}};
  const auto filter = [](std::string type, std::string resource) {
    return EventFilter{0, 1, std::move(type), std::move(resource)};
  };
  EXPECT_TRUE(passes(filter("", ""), event));
  EXPECT_TRUE(passes(filter("vm.", "web"), event));
  EXPECT_TRUE(passes(filter("vm.created", ""), event));
  EXPECT_FALSE(passes(filter("vm", ""), event));
  EXPECT_FALSE(passes(filter("vm.create", ""), event));
  EXPECT_FALSE(passes(filter("container.", ""), event));
  EXPECT_FALSE(passes(filter("", "we"), event));
}

}  // namespace
}  // namespace skerry::api
