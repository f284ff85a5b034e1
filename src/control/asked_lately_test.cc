#include "control/asked_lately.h"

#include <gmock/gmock.h>

namespace skerry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EnvironmentSpec microvm(const std::string& image, std::uint32_t mib = 128) {
  EnvironmentSpec spec;
  spec.name = "box";
  spec.isolation = Isolation::kMicrovm;
  spec.image = image;
  spec.resources.memory_mib = mib;
  return spec;
}

MonoTime at_minute(int minute) { return MonoTime{} + std::chrono::minutes(minute); }

std::vector<std::string> images_of(const std::vector<WarmShape>& shapes) {
  std::vector<std::string> out;
  out.reserve(shapes.size());
  for (const auto& each : shapes) out.push_back(each.spec.image);
  return out;
}

TEST(AskedLately, TellsWhatWasAskedForTwiceTheNewestFirst) {
  AskedLately asked(2);
  asked.note(microvm("a"), "digest-a", at_minute(0));
  asked.note(microvm("b"), "digest-b", at_minute(1));
  EXPECT_THAT(asked.shapes(at_minute(1)), IsEmpty());
  asked.note(microvm("a"), "digest-a", at_minute(2));
  asked.note(microvm("b"), "digest-b", at_minute(3));
  EXPECT_THAT(images_of(asked.shapes(at_minute(3))), ElementsAre("b", "a"));
  asked.note(microvm("c"), "digest-c", at_minute(4));
  asked.note(microvm("c"), "digest-c", at_minute(4));
  EXPECT_THAT(images_of(asked.shapes(at_minute(4))), ElementsAre("c", "b")) << "at most two";
}

TEST(AskedLately, AnotherShapeOrDigestIsAnother) {
  AskedLately asked(4);
  asked.note(microvm("a"), "digest-a", at_minute(0));
  asked.note(microvm("a", 256), "digest-a", at_minute(0));
  asked.note(microvm("a"), "digest-of-a-newer-a", at_minute(0));
  auto elsewhere = microvm("a");
  elsewhere.zone = "work";
  asked.note(elsewhere, "digest-a", at_minute(0));
  EXPECT_THAT(asked.shapes(at_minute(0)), IsEmpty());
}

TEST(AskedLately, ForgetsWhatIsNotAskedForAnyMore) {
  AskedLately asked(2);
  asked.note(microvm("a"), "d", at_minute(0));
  asked.note(microvm("a"), "d", at_minute(11));
  EXPECT_THAT(asked.shapes(at_minute(11)), IsEmpty()) << "eleven minutes between the two";
  asked.note(microvm("a"), "d", at_minute(12));
  EXPECT_THAT(images_of(asked.shapes(at_minute(22))), ElementsAre("a"));
  EXPECT_THAT(asked.shapes(at_minute(23)), IsEmpty());
  asked.note(microvm("a"), "d", at_minute(24));
  EXPECT_THAT(asked.shapes(at_minute(24)), IsEmpty()) << "it begins anew";
}

TEST(AskedLately, KeepsNothingOfWhoAskedAndWhatFor) {
  AskedLately asked(1);
  auto spec = microvm("a");
  spec.env = {{"TOKEN", "secret"}};
  spec.command = {"sh"};
  spec.labels = {{"owner", "me"}};
  spec.ports = {{}};
  asked.note(spec, "d", at_minute(0));
  asked.note(spec, "d", at_minute(0));
  const auto shapes = asked.shapes(at_minute(0));
  ASSERT_EQ(shapes.size(), 1U);
  auto expected = microvm("a");
  expected.name.clear();
  EXPECT_EQ(shapes[0].spec, expected);
  EXPECT_TRUE(same_shape(shapes[0].spec, spec));
  EXPECT_EQ(shapes[0].wish, (WarmPoolWish{WarmMode::kWarmed, 1}));
  EXPECT_TRUE(shapes[0].spare);
}

TEST(AskedLately, PassesOverWhatCannotBeMadeBeforehand) {
  AskedLately asked(8);
  auto container = microvm("a");
  container.isolation = Isolation::kContainer;
  auto with_directory = microvm("b");
  with_directory.mounts = {{}};
  auto with_device = microvm("c");
  with_device.devices.addresses = {"0000:01:00.0"};
  auto with_seed = microvm("d");
  with_seed.cloud_init.emplace();
  const auto in_its_initramfs = microvm("");
  for (const auto& spec : {container, with_directory, with_device, with_seed, in_its_initramfs}) {
    for (int i = 0; i < 3; ++i) asked.note(spec, "d", at_minute(0));
  }
  EXPECT_THAT(asked.shapes(at_minute(0)), IsEmpty());
  AskedLately none(0);
  for (int i = 0; i < 3; ++i) none.note(microvm("a"), "d", at_minute(0));
  EXPECT_THAT(none.shapes(at_minute(0)), IsEmpty());
}

}  // namespace
}  // namespace skerry
