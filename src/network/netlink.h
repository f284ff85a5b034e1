// Netlink: one rtnetlink(7), or other netlink, conversation with the kernel, bound for life to the network namespace it
// was opened in.
//
// A request is built (NetlinkMessage), sent with NLM_F_ACK and answered before request() returns; there is never more
// than one under way. Errors carry the kernel's own words (NETLINK_EXT_ACK) as hint. Move-only, not thread-safe.
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::network {

// A request under construction: the fixed header of its family, then attributes. Large enough for every request of
// this folder; put() beyond that would overflow and is asserted against.
class NetlinkMessage {
 public:
  // `type` is RTM_*, `flags` the NLM_F_* besides NLM_F_REQUEST and NLM_F_ACK.
  NetlinkMessage(std::uint16_t type, std::uint16_t flags);
  NetlinkMessage(const NetlinkMessage&) = delete;
  NetlinkMessage& operator=(const NetlinkMessage&) = delete;
  ~NetlinkMessage() = default;

  // The family's fixed header (ifinfomsg, ifaddrmsg, rtmsg), zeroed. First, and once per message or nest.
  template <typename Header>
  Header& header() {
    return *static_cast<Header*>(mnl_nlmsg_put_extra_header(message_, sizeof(Header)));
  }
  void put(std::uint16_t type, const void* data, std::size_t size);
  void put_u8(std::uint16_t type, std::uint8_t value) { put(type, &value, sizeof value); }
  void put_u32(std::uint16_t type, std::uint32_t value) { put(type, &value, sizeof value); }
  // In network byte order, as addresses are.
  void put_be32(std::uint16_t type, std::uint32_t host_value);
  void put_text(std::uint16_t type, const std::string& text) { put(type, text.c_str(), text.size() + 1); }
  // Attributes put by `inside` become children of an attribute of this type.
  void nest(std::uint16_t type, const std::function<void()>& inside);

  [[nodiscard]] nlmsghdr* raw() { return message_; }

 private:
  alignas(NLMSG_ALIGNTO) std::array<char, 4096> buffer_{};
  nlmsghdr* message_;
};

class Netlink {
 public:
  // In the calling thread's network namespace; `family` is NETLINK_*.
  static Result<Netlink> open(int family = NETLINK_ROUTE);
  // In the network namespace of `netns_fd`; usable from any thread afterwards.
  static Result<Netlink> open_in(int netns_fd);

  // Sends, hands every answer to `each` and waits for the acknowledgement. `step` names the work in the error.
  Status converse(NetlinkMessage& message, std::string_view step, const std::function<void(const nlmsghdr&)>& each);
  // The same for a request whose only answer is the acknowledgement.
  Status request(NetlinkMessage& message, std::string_view step);
  // Sends an NLM_F_DUMP request and hands every answer to `each`. A dump the kernel calls inconsistent
  // (NLM_F_DUMP_INTR) still delivers every object that existed all the time.
  Status dump(NetlinkMessage& message, std::string_view step, const std::function<void(const nlmsghdr&)>& each);

 private:
  explicit Netlink(Fd socket) : socket_(std::move(socket)) {}

  Fd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace skerry::network
