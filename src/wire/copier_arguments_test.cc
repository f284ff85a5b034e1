#include "wire/copier_arguments.h"

#include <gtest/gtest.h>

#include "wire/requests.h"

namespace skerry::wire {
namespace {

TEST(CopierArguments, ComeBackAsTheyWere) {
  CopyRequest in{CopyDirection::kIn, "/srv/--no-owners", "--top=x", false, false};
  EXPECT_EQ(copier_arguments(in),
            (std::vector<std::string>{"copy-in", "--no-owners", "--top=--top=x", "/srv/--no-owners"}));
  EXPECT_EQ(parse_copier_arguments(copier_arguments(in)).value(), in);
  CopyRequest out{CopyDirection::kOut, "/etc/.", "", true, true, true, true};
  EXPECT_EQ(copier_arguments(out),
            (std::vector<std::string>{"copy-out", "--follow", "--xattrs", "--sparse", "/etc/."}));
  EXPECT_EQ(parse_copier_arguments(copier_arguments(out)).value(), out);
}

TEST(CopierArguments, NothingElseIsTaken) {
  EXPECT_FALSE(parse_copier_arguments({}));
  EXPECT_FALSE(parse_copier_arguments({"copy-in"}));
  EXPECT_FALSE(parse_copier_arguments({"copy-in", "relative"}));
  EXPECT_FALSE(parse_copier_arguments({"copy-up", "/x"}));
  EXPECT_FALSE(parse_copier_arguments({"copy-in", "--follow", "/x"}));
  EXPECT_FALSE(parse_copier_arguments({"copy-out", "--no-owners", "/x"}));
  for (const auto* word : {"--xattrs", "--sparse"}) EXPECT_FALSE(parse_copier_arguments({"copy-in", word, "/x"}));
  EXPECT_FALSE(parse_copier_arguments({"copy-out", "/x", "/y"}));
}

TEST(CopyRequests, AsJsonAndBack) {
  for (const auto& request : {CopyRequest{CopyDirection::kIn, "/srv", "site", false, false},
                              CopyRequest{CopyDirection::kIn, "/", "", false, true},
                              CopyRequest{CopyDirection::kOut, "/etc/hosts", "", true, true},
                              CopyRequest{CopyDirection::kOut, "/srv", "", false, true, true, false},
                              CopyRequest{CopyDirection::kOut, "/srv", "", false, true, false, true}}) {
    EXPECT_EQ(parse_copy_request(copy_request_json(request)).value(), request);
  }
}

TEST(CopyRequests, WhatIsWrongIsNamed) {
  const auto why = [](std::string_view body) {
    const auto request = parse_copy_request(body);
    return request ? std::string() : request.error().message();
  };
  EXPECT_NE(why("{}").find("direction"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"up","path":"/x"})").find("direction"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in"})").find("path"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in","path":"x"})").find("path"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in","path":"/x\u0000y"})").find("path"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in","path":"/x","top":"a/b"})").find("top"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in","path":"/x","top":".."})").find("top"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"out","path":"/x","top":"a"})").find("top"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"out","path":"/x","owners":false})").find("owners"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in","path":"/x","follow":true})").find("follow"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in","path":"/x","xattrs":true})").find("xattrs"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in","path":"/x","sparse":true})").find("sparse"), std::string::npos);
  EXPECT_NE(why(R"({"direction":"in","path":"/x","more":1})").find("more"), std::string::npos);
}

}  // namespace
}  // namespace skerry::wire
