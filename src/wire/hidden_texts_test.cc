#include "wire/hidden_texts.h"

#include <gtest/gtest.h>

namespace skerry::wire {
namespace {

TEST(HiddenTexts, NothingOfCloudInitIsLeft) {
  EXPECT_EQ(without_cloud_init(R"({"name":"a","cloud_init":{"user_data":"password: x"},"z":1})"),
            R"({"name":"a","cloud_init":{"hidden":true},"z":1})");
  EXPECT_EQ(without_cloud_init(R"({"\u0063loud_init":{"user_data":"x"}})"), R"({"cloud_init":{"hidden":true}})");
  EXPECT_EQ(without_cloud_init(R"({ "name": "a" })"), R"({ "name": "a" })") << "as it is";
  EXPECT_EQ(without_cloud_init(R"({"cloud_init")"), "{}");
  EXPECT_EQ(without_cloud_init(""), "");
}

}  // namespace
}  // namespace skerry::wire
