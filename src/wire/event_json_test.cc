#include "wire/event_json.h"

#include <gtest/gtest.h>

namespace skerry::wire {
namespace {

const Event kEvent{.id = 7,
                   .type = "vm.created",
                   .resource = "nginx-demo",
                   .data = {{"ip", "192.168.127.100"}, {"name", "nginx-demo"}},
                   .time = {1'700'000'000'000'000'001}};

TEST(EventJson, RoundTrips) {
  const auto back = parse_event(event_json(kEvent));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, kEvent);
  EXPECT_EQ(parse_event_data(event_data_json(kEvent.data)), kEvent.data);
}

TEST(EventJson, StreamFormIsOneLinePerField) {
  auto event = kEvent;
  event.data["reason"] = "line\nbreak";
  EXPECT_EQ(server_sent_event(event),
            "id: 7\nevent: vm.created\n"
            "data: {\"ip\":\"192.168.127.100\",\"name\":\"nginx-demo\",\"reason\":\"line\\nbreak\"}\n\n");
}

TEST(EventJson, RefusesWhatIsNotStrings) {
  EXPECT_FALSE(parse_event_data("[1]"));
  EXPECT_FALSE(parse_event_data("null"));
  EXPECT_FALSE(parse_event_data(R"({"a":1})"));
}

}  // namespace
}  // namespace skerry::wire
