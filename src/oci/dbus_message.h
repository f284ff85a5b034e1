// The D-Bus wire format, as far as talking to systemd needs it (D-Bus Specification, "Type System", "Message
// Protocol").
//
// skerry-oci is a static program that starts in a millisecond; the D-Bus libraries exist as shared objects only. What
// is needed of the protocol is small: method calls with strings, numbers and lists of properties go out; returns,
// errors and one signal come in. Messages are little endian. Pure text handling: dbus_connection.h has the socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace skerry::oci {

// Far above anything systemd says to us; the protocol itself would allow 128 MiB.
inline constexpr std::size_t kMaxDbusMessage = 1U << 20U;
// Every message begins with this much; it says how long the whole is.
inline constexpr std::size_t kDbusFixedHeader = 16;

// Appends values with the alignment each type has.
class DbusWriter {
 public:
  void put_byte(std::uint8_t value) { out_ += static_cast<char>(value); }
  void put_bool(bool value) { put_u32(value ? 1 : 0); }
  void put_u32(std::uint32_t value) { put_number(value); }
  void put_u64(std::uint64_t value) { put_number(value); }
  void put_string(std::string_view text);  // also for object paths
  void put_signature(std::string_view text);
  void align(std::size_t boundary) { out_.resize((out_.size() + boundary - 1) / boundary * boundary, '\0'); }
  // An array whose elements begin at multiples of `boundary`; `fill` appends them.
  template <typename Fill>
  void put_array(std::size_t boundary, Fill fill) {
    put_u32(0);
    const std::size_t length_at = out_.size() - sizeof(std::uint32_t);
    align(boundary);
    const std::size_t begin = out_.size();
    fill();
    store_u32(length_at, static_cast<std::uint32_t>(out_.size() - begin));
  }
  [[nodiscard]] const std::string& text() const { return out_; }
  void store_u32(std::size_t at, std::uint32_t value);

 private:
  template <typename T>
  void put_number(T value) {
    align(sizeof value);
    for (std::size_t i = 0; i < sizeof value; ++i) put_byte(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  std::string out_;
};

// A unit property "(sv)": its name and a value of one of the types systemd has for them.
using DbusBytes = std::vector<std::uint8_t>;  // ay
using DbusPids = std::vector<std::uint32_t>;  // au
struct DbusProperty {
  std::string name;
  std::variant<bool, std::uint64_t, std::string, DbusBytes, DbusPids> value;
};
// The list "a(sv)".
void put_properties(DbusWriter& out, const std::vector<DbusProperty>& properties);

struct DbusCall {
  std::string destination;
  std::string path;
  std::string interface;
  std::string member;
  std::string signature;  // of the body; empty without one
  std::string body;
};
std::string encode_call(const DbusCall& call, std::uint32_t serial);

enum class DbusType : std::uint8_t { kCall = 1, kReturn = 2, kError = 3, kSignal = 4 };
struct DbusMessage {
  DbusType type{};
  std::uint32_t reply_serial = 0;
  std::string member;
  std::string error_name;
  std::string signature;
  std::string body;
};

// How long the message is that begins with these kDbusFixedHeader bytes. kCorrupt when it cannot be one of ours.
Result<std::size_t> dbus_message_size(std::string_view fixed_header);
// A whole message.
Result<DbusMessage> parse_dbus_message(std::string_view text);

// Takes values off a body, in the order of its signature; kCorrupt where the text ends or a length lies.
class DbusReader {
 public:
  explicit DbusReader(std::string_view text) : text_(text) {}
  Result<std::uint8_t> byte();
  Result<std::uint32_t> u32();
  Result<std::string> string();  // also of object paths
  Result<std::string> signature();
  Status align(std::size_t boundary);
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  // Steps over one value of a basic type.
  Status skip(char type);

 private:
  Result<std::string_view> take(std::size_t size);
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace skerry::oci
