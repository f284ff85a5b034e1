#include "network/resolv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skerry::network {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Resolvers, AreTheHostsWithoutLoopbackAndIpv6) {
  constexpr auto* kHost =
      "# comment\nnameserver 127.0.0.53\nnameserver 10.0.0.2\n;nameserver 9.9.9.9\nnameserver fe80::1%eth0\n"
      "  nameserver\t10.0.0.3  \nnameserver 10.0.0.2\nnameserver 0.0.0.0\nnameserver\nsearch a b\n";
  EXPECT_THAT(choose_resolvers(kHost, {}).value(), ElementsAre("10.0.0.2", "10.0.0.3"));
}

TEST(Resolvers, GivenOnesReplaceTheHosts) {
  EXPECT_THAT(choose_resolvers("nameserver 10.0.0.2\n", {{"1.1.1.1"}, {"8.8.8.8"}}).value(), ElementsAre("1.1.1.1"));
}

TEST(Resolvers, FallbackOnlyWhenTheHostHasNone) {
  EXPECT_THAT(choose_resolvers("nameserver 127.0.0.1\n", {{}, {"8.8.8.8"}}).value(), ElementsAre("8.8.8.8"));
  EXPECT_THAT(choose_resolvers("nameserver 10.0.0.2\n", {{}, {"8.8.8.8"}}).value(), ElementsAre("10.0.0.2"));
  EXPECT_THAT(choose_resolvers("", {}).value(), IsEmpty());
}

TEST(Resolvers, AtMostThree) {
  EXPECT_EQ(choose_resolvers("", {{"1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"}, {}}).value().size(), 3U);
}

TEST(Resolvers, BadGivenOneIsAnError) {
  const auto bad = choose_resolvers("", {{"dns.example"}, {}});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(bad.error().message().find("dns.example"), std::string::npos);
}

TEST(ResolvConf, KeepsSearchAndOptions) {
  EXPECT_EQ(
      render_resolv_conf("nameserver 127.0.0.53\nsearch corp.example lan\noptions edns0 trust-ad\n", {{}, {"9.9.9.9"}})
          .value(),
      "# written by skerry\nnameserver 9.9.9.9\nsearch corp.example lan\noptions edns0 trust-ad\n");
}

TEST(Hosts, NamesTheEnvironment) {
  EXPECT_EQ(render_hosts("web", "192.168.127.100"),
            "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n192.168.127.100\tweb\n");
  EXPECT_NE(render_hosts("web.example.org", "10.0.0.2").find("10.0.0.2\tweb.example.org web\n"), std::string::npos);
  EXPECT_NE(render_hosts("web", "").find("127.0.1.1\tweb\n"), std::string::npos);
}

}  // namespace
}  // namespace skerry::network
