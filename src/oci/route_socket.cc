#include "oci/route_socket.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/text.h"

namespace skerry::oci {
namespace {

constexpr std::size_t kMaxAnswer = 128U << 10U;

std::size_t aligned(std::size_t size) { return (size + 3U) & ~std::size_t{3}; }

// The size of the fixed header behind nlmsghdr, by the kind of message.
std::size_t header_size(std::uint16_t type) {
  const bool link = type == RTM_NEWLINK || type == RTM_DELLINK || type == RTM_GETLINK || type == RTM_SETLINK;
  return link ? sizeof(ifinfomsg) : sizeof(ifaddrmsg);
}

// 0 is the kernel's "done"; the errno otherwise.
int error_of(const nlmsghdr& header, std::string_view payload) {
  nlmsgerr error{};
  if (header.nlmsg_type != NLMSG_ERROR || payload.size() < sizeof error.error) return EBADMSG;
  std::memcpy(&error.error, payload.data(), sizeof error.error);
  return -error.error;
}

}  // namespace

RouteAttributes& RouteAttributes::add(std::uint16_t type, std::string_view value) {
  const rtattr header{static_cast<unsigned short>(sizeof(rtattr) + value.size()), type};
  bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
  bytes_ += value;
  bytes_.resize(aligned(bytes_.size()));
  return *this;
}

RouteAttributes& RouteAttributes::add_number(std::uint16_t type, std::uint32_t value) {
  return add(type, {reinterpret_cast<const char*>(&value), sizeof value});
}

std::optional<std::string_view> RouteAttributes::find(std::uint16_t type) const {
  std::string_view rest = bytes_;
  while (rest.size() >= sizeof(rtattr)) {
    rtattr header{};
    std::memcpy(&header, rest.data(), sizeof header);
    if (header.rta_len < sizeof header || header.rta_len > rest.size()) return std::nullopt;
    if ((header.rta_type & NLA_TYPE_MASK) == type) return rest.substr(sizeof header, header.rta_len - sizeof header);
    rest.remove_prefix(std::min(aligned(header.rta_len), rest.size()));
  }
  return std::nullopt;
}

Result<RouteSocket> RouteSocket::open() {
  Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return fail_errno("netlink socket");
  return RouteSocket(std::move(socket));
}

Result<RouteSocket> RouteSocket::open_in(int netns_fd) {
  const Fd own = TRY(sys::open("/proc/self/ns/net", O_RDONLY));
  TRY_IN("enter the network namespace", sys::setns(netns_fd, CLONE_NEWNET));
  auto socket = open();
  TRY_IN("leave the network namespace", sys::setns(own.get(), CLONE_NEWNET));
  return socket;
}

Status RouteSocket::request(std::uint16_t type, std::uint16_t flags, std::string_view header,
                            const RouteAttributes& attributes) {
  return ask(type, static_cast<std::uint16_t>(flags | NLM_F_ACK), header, attributes, [](auto, const auto&) {});
}

Status RouteSocket::ask(std::uint16_t type, std::uint16_t flags, std::string_view header,
                        const RouteAttributes& attributes, const Take& take) {
  nlmsghdr head{};
  head.nlmsg_len = static_cast<std::uint32_t>(sizeof head + aligned(header.size()) + attributes.bytes().size());
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  head.nlmsg_seq = ++sequence_;
  std::string message(reinterpret_cast<const char*>(&head), sizeof head);
  message += header;
  message.resize(sizeof head + aligned(header.size()));
  message += attributes.bytes();
  if (::send(socket_.get(), message.data(), message.size(), 0) < 0) return fail_errno("netlink");
  std::string buffer(kMaxAnswer, '\0');
  for (;;) {
    const auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("netlink");
    std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
    while (rest.size() >= sizeof head) {
      std::memcpy(&head, rest.data(), sizeof head);
      if (head.nlmsg_len < sizeof head || head.nlmsg_len > rest.size())
        return fail(ErrorCode::kIo, "netlink: cut short");
      const auto payload = rest.substr(sizeof head, head.nlmsg_len - sizeof head);
      rest.remove_prefix(std::min(aligned(head.nlmsg_len), rest.size()));
      if (head.nlmsg_seq != sequence_) continue;
      if (head.nlmsg_type == NLMSG_DONE) return {};
      if (head.nlmsg_type == NLMSG_ERROR) {
        const int error = error_of(head, payload);
        if (error == 0) return {};
        return fail(Error::from_errno(error, "netlink"));
      }
      const std::size_t size = header_size(head.nlmsg_type);
      if (payload.size() < size) return fail(ErrorCode::kIo, "netlink: cut short");
      take(payload.substr(0, size), RouteAttributes(payload.substr(aligned(size))));
      // One question, one answer; a dump ends with NLMSG_DONE, a request with its acknowledgement.
      if ((flags & (NLM_F_DUMP | NLM_F_ACK)) == 0) return {};
    }
  }
}

Result<std::optional<int>> RouteSocket::link_index(const std::string& name) {
  const ifinfomsg header{};
  std::optional<int> out;
  const auto asked = ask(RTM_GETLINK, 0, {reinterpret_cast<const char*>(&header), sizeof header},
                         RouteAttributes().add(IFLA_IFNAME, {name.c_str(), name.size() + 1}),
                         [&](std::string_view found, const RouteAttributes&) {
                           ifinfomsg link{};
                           std::memcpy(&link, found.data(), sizeof link);
                           out = link.ifi_index;
                         });
  if (!asked && asked.error().sys_errno != ENODEV) return fail(asked.error());
  return out;
}

}  // namespace skerry::oci
