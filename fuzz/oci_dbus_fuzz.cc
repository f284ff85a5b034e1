// What a message bus says to skerry-oci: reading it never crashes and never reads past its end.
// Links: oci
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "oci/dbus_connection.h"
#include "oci/dbus_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)skerry::oci::dbus_message_size(text);
  (void)skerry::oci::dbus_socket_path(text);
  if (const auto message = skerry::oci::parse_dbus_message(text)) {
    skerry::oci::DbusReader reader(message->body);
    for (const char type : message->signature) {
      if (!reader.skip(type)) break;
    }
  }
  return 0;
}
