// Reading the attributes of a netlink message: each is handed to a function, whatever the message claims never beyond
// its end.
#pragma once

#include <libmnl/libmnl.h>

namespace skerry::network {

template <typename Each>
void for_each_attribute(const void* first, const char* end, Each each) {
  const auto* attribute = static_cast<const nlattr*>(first);
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    each(*attribute);
    attribute = mnl_attr_next(attribute);
  }
}

template <typename Each>
void for_each_child(const nlattr& parent, Each each) {
  const auto* payload = static_cast<const char*>(mnl_attr_get_payload(&parent));
  for_each_attribute(payload, payload + mnl_attr_get_payload_len(&parent), each);
}

template <typename Header, typename Each>
const Header& for_each_of(const nlmsghdr& message, Each each) {
  for_each_attribute(mnl_nlmsg_get_payload_offset(&message, sizeof(Header)),
                     static_cast<const char*>(mnl_nlmsg_get_payload_tail(&message)), each);
  return *static_cast<const Header*>(mnl_nlmsg_get_payload(&message));
}

}  // namespace skerry::network
