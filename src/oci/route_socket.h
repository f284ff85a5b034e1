// RouteSocket: rtnetlink(7) to the kernel, for the few questions that moving a network device takes. It belongs to the
// network namespace in which it was opened, wherever its owner goes afterwards.
//
// Not src/network's Netlink: that leans on libmnl and is above this folder; the runtime stays one small static program.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace skerry::oci {

// The attributes of a message (struct rtattr), built up or read.
class RouteAttributes {
 public:
  RouteAttributes() = default;
  explicit RouteAttributes(std::string_view bytes) : bytes_(bytes) {}
  RouteAttributes& add(std::uint16_t type, std::string_view value);
  RouteAttributes& add_number(std::uint16_t type, std::uint32_t value);
  [[nodiscard]] std::optional<std::string_view> find(std::uint16_t type) const;
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

class RouteSocket {
 public:
  static Result<RouteSocket> open();
  // In the namespace of `netns_fd`; the caller is back in its own when this returns.
  static Result<RouteSocket> open_in(int netns_fd);

  // Sends one message, `header` (ifinfomsg, ifaddrmsg) and attributes, and waits for the kernel's word on it.
  Status request(std::uint16_t type, std::uint16_t flags, std::string_view header, const RouteAttributes& attributes);
  // Asks and hands every answer on: its header and attributes as bytes, `header_size` of them the header.
  using Take = std::function<void(std::string_view header, const RouteAttributes& attributes)>;
  Status ask(std::uint16_t type, std::uint16_t flags, std::string_view header, const RouteAttributes& attributes,
             const Take& take);

  // The index of the link with that name, nullopt when there is none.
  Result<std::optional<int>> link_index(const std::string& name);

 private:
  explicit RouteSocket(Fd socket) : socket_(std::move(socket)) {}
  Fd socket_;
  std::uint32_t sequence_ = 0;
};

}  // namespace skerry::oci
