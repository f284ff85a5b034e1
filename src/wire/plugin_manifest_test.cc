#include "wire/plugin_manifest.h"

#include <gmock/gmock.h>

#include "base/text.h"

namespace skerry::wire {
namespace {

using ::testing::HasSubstr;

PluginManifest parsed(std::string_view more) {
  return parse_plugin_manifest(cat(R"({"name":"p","version":"1","image":"localhost/p:1",)", more, "}")).value();
}

std::string refusal(std::string_view more) {
  const auto manifest = parse_plugin_manifest(cat(R"({"name":"p","version":"1","image":"localhost/p:1",)", more, "}"));
  return manifest ? "accepted" : manifest.error().message();
}

TEST(PluginManifest, TakesWhatIsAskedOfAMicrovm) {
  EXPECT_EQ(parsed(R"("warm_pool":{"mode":"parked","size":3})").warm_pool, (WarmPoolWish{WarmMode::kParked, 3}));
  EXPECT_EQ(parsed(R"("cloud_init":{"user_data":"#cloud-config\n"})").cloud_init->user_data, "#cloud-config\n");
}

TEST(PluginManifest, NamesThePlaceOfWhatIsWrong) {
  EXPECT_THAT(refusal(R"("warm_pool":{"mode":"hot"})"), HasSubstr("warm_pool.mode"));
  EXPECT_THAT(refusal(R"("warm_pool":{"mode":"parked","size":-1})"), HasSubstr("warm_pool.size"));
  EXPECT_THAT(refusal(R"("warm_pool":{"mode":"parked","size":4294967296})"), HasSubstr("warm_pool.size"));
  EXPECT_THAT(refusal(R"("warm_pool":{"mode":"parked","temperature":1})"), HasSubstr("warm_pool.temperature"));
  EXPECT_THAT(refusal(R"("warm_pool":"parked")"), HasSubstr("warm_pool"));
  EXPECT_THAT(refusal(R"("cloud_init":[])"), HasSubstr("cloud_init"));
  EXPECT_THAT(refusal(R"("cloud_init":{"user_data":1})"), HasSubstr("cloud_init.user_data"));
  EXPECT_THAT(refusal(R"("cloud_init":{"meta_data":"x"})"), HasSubstr("cloud_init.meta_data"));
  EXPECT_THAT(refusal(cat(R"("cloud_init":{"user_data":")", std::string(600'000, 'x'), R"("})")),
              HasSubstr("cloud_init"));
  EXPECT_THAT(refusal(cat(R"("labels":{"a":")", std::string(kMaxManifestBytes, 'x'), R"("})")), HasSubstr("more than"));
}

}  // namespace
}  // namespace skerry::wire
