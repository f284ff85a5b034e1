#include "wire/hidden_texts.h"

#include <gtest/gtest.h>

namespace skerry::wire {
namespace {

TEST(HiddenTexts, NothingOfCloudInitIsLeft) {
  EXPECT_EQ(without_secrets(R"({"name":"a","cloud_init":{"user_data":"password: x"},"z":1})"),
            R"({"name":"a","cloud_init":{"hidden":true},"z":1})");
  EXPECT_EQ(without_secrets(R"({"\u0063loud_init":{"user_data":"x"}})"), R"({"cloud_init":{"hidden":true}})");
  EXPECT_EQ(without_secrets(R"({ "name": "a" })"), R"({ "name": "a" })") << "as it is";
  EXPECT_EQ(without_secrets(R"({"cloud_init")"), "{}");
  EXPECT_EQ(without_secrets(""), "");
}

TEST(HiddenTexts, OfVariablesTheNamesAreLeft) {
  EXPECT_EQ(without_secrets(R"({"name":"a","env":{"TOKEN":"s3cret","A":""},"z":1})"),
            R"({"name":"a","env":{"TOKEN":null,"A":null},"z":1})");
  EXPECT_EQ(without_secrets(R"({"workload":{"env":{"TOKEN":"s3cret"},"user":"u"}})"),
            R"({"workload":{"env":{"TOKEN":null},"user":"u"}})");
  EXPECT_EQ(without_secrets(R"({"\u0065nv":{"A":"s3cret"}})"), R"({"env":{"A":null}})");
  EXPECT_EQ(without_secrets(R"({"env":["A=s3cret"]})"), R"({"env":null})") << "whatever form it has";
  EXPECT_EQ(without_secrets(R"({"env":{}, "workload":1})"), R"({"env":{}, "workload":1})") << "as it is";
}

}  // namespace
}  // namespace skerry::wire
