#include "network/host_port.h"

#include "network/testing.h"

namespace skerry::network {
namespace {

class HostPort : public PrivateHost {
 protected:
  static ErrorCode refusal(const std::string& text) {
    const auto status = check_host_port(parse_published_port(text).value());
    return status ? ErrorCode::kInternal : status.error().code;
  }
};

TEST_F(HostPort, FreePortIsFreeAndStaysSo) {
  EXPECT_TRUE(check_host_port({"", 8080, 80, Protocol::kTcp}));
  EXPECT_TRUE(check_host_port({"", 8080, 80, Protocol::kTcp}));
  EXPECT_TRUE(check_host_port({"127.0.0.1", 53, 53, Protocol::kUdp}));
}

TEST_F(HostPort, ListenerOnTheSameAddressConflicts) {
  const Fd on_loopback = serve_in(host(), "127.0.0.1", 8080);
  EXPECT_EQ(refusal("8080:80"), ErrorCode::kConflict);
  EXPECT_EQ(refusal("127.0.0.1:8080:80"), ErrorCode::kConflict);
  EXPECT_TRUE(check_host_port(parse_published_port("8080:80/udp").value()));
  EXPECT_TRUE(check_host_port(parse_published_port("8081:80").value()));
  const Fd udp = serve_in(host(), "0.0.0.0", 5353, SOCK_DGRAM);
  EXPECT_EQ(refusal("127.0.0.1:5353:53/udp"), ErrorCode::kConflict);
}

TEST_F(HostPort, AddressThatIsNotTheHostsIsRefused) {
  EXPECT_EQ(refusal("192.0.2.1:80:80"), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skerry::network
