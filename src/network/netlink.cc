#include "network/netlink.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <vector>

#include "base/text.h"
#include "network/netns.h"

namespace skerry::network {
namespace {

// A dump answers in datagrams of up to 32 KiB (netlink(7)); a smaller buffer would lose the rest of one.
constexpr std::size_t kReceiveBuffer = 64U << 10U;

// The kernel's explanation behind a negative acknowledgement (NLMSGERR_ATTR_MSG), or nothing.
std::string kernel_words(const nlmsghdr& message) {
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
  // The attributes follow the error and, unless capped, the payload of the request it answers.
  std::size_t offset = sizeof *error;
  if ((message.nlmsg_flags & NLM_F_CAPPED) == 0) offset += mnl_nlmsg_get_payload_len(&error->msg);
  const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message));
  const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, offset));
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG) return mnl_attr_get_str(attribute);
    attribute = mnl_attr_next(attribute);
  }
  return {};
}

}  // namespace

NetlinkMessage::NetlinkMessage(std::uint16_t type, std::uint16_t flags)
    : message_(mnl_nlmsg_put_header(buffer_.data())) {
  message_->nlmsg_type = type;
  message_->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
}

void NetlinkMessage::put(std::uint16_t type, const void* data, std::size_t size) {
  [[maybe_unused]] const bool fits = mnl_attr_put_check(message_, buffer_.size(), type, size, data);
  assert(fits);
}

void NetlinkMessage::put_be32(std::uint16_t type, std::uint32_t host_value) { put_u32(type, htonl(host_value)); }

void NetlinkMessage::nest(std::uint16_t type, const std::function<void()>& inside) {
  nlattr* start = mnl_attr_nest_start(message_, type);
  inside();
  mnl_attr_nest_end(message_, start);
}

Result<Netlink> Netlink::open(int family) {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family));
  if (!socket) return fail_errno("open netlink socket");
  const int on = 1;
  // Better errors and smaller acknowledgements; a kernel without them is still usable.
  ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&self), sizeof self) < 0) {
    return fail_errno("bind netlink socket");
  }
  return Netlink(std::move(socket));
}

Result<Netlink> Netlink::open_in(int netns_fd) {
  Result<Netlink> opened = fail(ErrorCode::kInternal, "open rtnetlink socket in a namespace");
  TRY(run_in_netns(netns_fd, [&]() -> Status {
    opened = open();
    return {};
  }));
  return opened;
}

Status Netlink::request(NetlinkMessage& message, std::string_view step) {
  return converse(message, step, [](const nlmsghdr&) {});
}

Status Netlink::dump(NetlinkMessage& message, std::string_view step, const std::function<void(const nlmsghdr&)>& each) {
  message.raw()->nlmsg_flags |= NLM_F_DUMP;
  return converse(message, step, each);
}

Status Netlink::converse(NetlinkMessage& message, std::string_view step,
                         const std::function<void(const nlmsghdr&)>& each) {
  message.raw()->nlmsg_seq = ++sequence_;
  while (::send(socket_.get(), message.raw(), message.raw()->nlmsg_len, 0) < 0) {
    if (errno != EINTR) return fail_errno(std::string(step));
  }
  std::vector<char> buffer(kReceiveBuffer);
  while (true) {
    const auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(std::string(step));
    int left = static_cast<int>(got);
    for (const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer.data()); mnl_nlmsg_ok(answer, left);
         answer = mnl_nlmsg_next(answer, &left)) {
      if (answer->nlmsg_seq != sequence_) continue;  // the tail of an earlier conversation that failed
      if (answer->nlmsg_type == NLMSG_DONE) return {};
      if (answer->nlmsg_type != NLMSG_ERROR) {
        each(*answer);
        continue;
      }
      const auto* verdict = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(answer));
      if (verdict->error == 0) return {};
      return fail(Error::from_errno(-verdict->error, std::string(step)).with_hint(kernel_words(*answer)));
    }
  }
}

}  // namespace skerry::network
