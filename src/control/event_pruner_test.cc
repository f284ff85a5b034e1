#include "control/event_pruner.h"

#include "testing/controller_fixture.h"

namespace skerry {
namespace {

using EventPrunerTest = testing::ControllerTest;

TEST_F(EventPrunerTest, KeepsTheNewestEventsOfABusyDaemon) {
  constexpr std::uint64_t kKeep = 5;
  ASSERT_TRUE(run(spec("web")));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask("web", Verb::kRestart));
  const auto before = store_->events({})->back().id;
  ASSERT_GT(store_->events({})->size(), kKeep);
  const EventPruner pruner(*store_, *feed_, kKeep);
  EXPECT_TRUE(eventually([&] { return store_->events({})->size() == kKeep; })) << "what an earlier daemon left";
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(ask("web", Verb::kRestart));
  EXPECT_TRUE(eventually([&] { return store_->events({})->size() == kKeep; }));
  EXPECT_GT(store_->events({})->back().id, before);
  EXPECT_EQ(store_->events({})->back().id, store_->last_event_id());
}

}  // namespace
}  // namespace skerry
