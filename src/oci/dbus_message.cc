#include "oci/dbus_message.h"

#include "base/text.h"

namespace skerry::oci {
namespace {

// Codes of the header fields.
constexpr std::uint8_t kPath = 1;
constexpr std::uint8_t kInterface = 2;
constexpr std::uint8_t kMember = 3;
constexpr std::uint8_t kErrorName = 4;
constexpr std::uint8_t kReplySerial = 5;
constexpr std::uint8_t kDestination = 6;
constexpr std::uint8_t kSignature = 8;

constexpr std::size_t kStructBoundary = 8;
constexpr std::uint8_t kProtocolVersion = 1;

std::unexpected<Error> corrupt(std::string_view what) {
  return fail(ErrorCode::kCorrupt, cat("D-Bus message: ", what));
}

void put_text_field(DbusWriter& out, std::uint8_t code, std::string_view type, std::string_view text) {
  if (text.empty()) return;
  out.align(kStructBoundary);
  out.put_byte(code);
  out.put_signature(type);
  if (type == "g") {
    out.put_signature(text);
  } else {
    out.put_string(text);
  }
}

struct ValueWriter {
  DbusWriter& out;
  void operator()(bool value) const {
    out.put_signature("b");
    out.put_bool(value);
  }
  void operator()(std::uint64_t value) const {
    out.put_signature("t");
    out.put_u64(value);
  }
  void operator()(const std::string& value) const {
    out.put_signature("s");
    out.put_string(value);
  }
  void operator()(const DbusBytes& value) const {
    out.put_signature("ay");
    out.put_array(1, [&] {
      for (const auto byte : value) out.put_byte(byte);
    });
  }
  void operator()(const DbusPids& value) const {
    out.put_signature("au");
    out.put_array(sizeof(std::uint32_t), [&] {
      for (const auto pid : value) out.put_u32(pid);
    });
  }
};

std::uint32_t u32_at(std::string_view text, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i])) << (8 * i);
  }
  return value;
}

// Where the body begins: behind the array of fields, which begins with its length at byte 12, aligned to 8.
std::size_t body_begin(std::size_t fields_bytes) {
  return (kDbusFixedHeader + fields_bytes + kStructBoundary - 1) / kStructBoundary * kStructBoundary;
}

Status read_field(DbusReader& reader, DbusMessage& out) {
  TRY(reader.align(kStructBoundary));
  const auto code = TRY(reader.byte());
  const auto type = TRY(reader.signature());
  if (type.size() != 1) return corrupt("a header field of a compound type");
  if (code == kReplySerial && type == "u") {
    out.reply_serial = TRY(reader.u32());
  } else if (code == kMember && type == "s") {
    out.member = TRY(reader.string());
  } else if (code == kErrorName && type == "s") {
    out.error_name = TRY(reader.string());
  } else if (code == kSignature && type == "g") {
    out.signature = TRY(reader.signature());
  } else {
    TRY(reader.skip(type.front()));
  }
  return {};
}

}  // namespace

void DbusWriter::put_string(std::string_view text) {
  put_u32(static_cast<std::uint32_t>(text.size()));
  out_ += text;
  out_ += '\0';
}

void DbusWriter::put_signature(std::string_view text) {
  put_byte(static_cast<std::uint8_t>(text.size()));
  out_ += text;
  out_ += '\0';
}

void DbusWriter::store_u32(std::size_t at, std::uint32_t value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out_[at + i] = static_cast<char>(value >> (8 * i));
}

void put_properties(DbusWriter& out, const std::vector<DbusProperty>& properties) {
  out.put_array(kStructBoundary, [&] {
    for (const auto& property : properties) {
      out.align(kStructBoundary);
      out.put_string(property.name);
      std::visit(ValueWriter{out}, property.value);
    }
  });
}

std::string encode_call(const DbusCall& call, std::uint32_t serial) {
  DbusWriter out;
  out.put_byte('l');
  out.put_byte(static_cast<std::uint8_t>(DbusType::kCall));
  out.put_byte(0);
  out.put_byte(kProtocolVersion);
  out.put_u32(static_cast<std::uint32_t>(call.body.size()));
  out.put_u32(serial);
  out.put_array(kStructBoundary, [&] {
    put_text_field(out, kPath, "o", call.path);
    put_text_field(out, kInterface, "s", call.interface);
    put_text_field(out, kMember, "s", call.member);
    put_text_field(out, kDestination, "s", call.destination);
    put_text_field(out, kSignature, "g", call.signature);
  });
  out.align(kStructBoundary);
  return out.text() + call.body;
}

Result<std::size_t> dbus_message_size(std::string_view fixed_header) {
  if (fixed_header.size() < kDbusFixedHeader) return corrupt("a header that is too short");
  if (fixed_header[0] != 'l') return corrupt("not little endian");
  if (fixed_header[3] != kProtocolVersion) return corrupt("an unknown protocol version");
  const std::size_t body_bytes = u32_at(fixed_header, 4);
  const std::size_t fields_bytes = u32_at(fixed_header, 12);
  if (body_bytes > kMaxDbusMessage || fields_bytes > kMaxDbusMessage) return corrupt("longer than is sensible");
  return body_begin(fields_bytes) + body_bytes;
}

Result<DbusMessage> parse_dbus_message(std::string_view text) {
  if (TRY(dbus_message_size(text)) != text.size()) return corrupt("its length is not what its header says");
  DbusMessage out;
  const auto type = static_cast<std::uint8_t>(text[1]);
  if (type < 1 || type > 4) return corrupt("an unknown type");
  out.type = static_cast<DbusType>(type);
  const std::size_t fields_end = kDbusFixedHeader + u32_at(text, 12);
  DbusReader reader(text.substr(0, fields_end));
  // Alignment counts from the beginning of the message.
  for (std::size_t i = 0; i < kDbusFixedHeader; ++i) TRY(reader.byte());
  while (!reader.at_end()) TRY(read_field(reader, out));
  out.body = text.substr(body_begin(fields_end - kDbusFixedHeader));
  return out;
}

Result<std::string_view> DbusReader::take(std::size_t size) {
  if (size > text_.size() - at_) return corrupt("it ends in the middle of a value");
  const auto out = text_.substr(at_, size);
  at_ += size;
  return out;
}

Status DbusReader::align(std::size_t boundary) {
  const std::size_t padding = (boundary - at_ % boundary) % boundary;
  TRY(take(padding));
  return {};
}

Result<std::uint8_t> DbusReader::byte() { return static_cast<std::uint8_t>(TRY(take(1)).front()); }

Result<std::uint32_t> DbusReader::u32() {
  TRY(align(sizeof(std::uint32_t)));
  return u32_at(TRY(take(sizeof(std::uint32_t))), 0);
}

Result<std::string> DbusReader::string() {
  const std::size_t size = TRY(u32());
  std::string out(TRY(take(size)));
  TRY(take(1));
  return out;
}

Result<std::string> DbusReader::signature() {
  const std::size_t size = TRY(byte());
  std::string out(TRY(take(size)));
  TRY(take(1));
  return out;
}

Status DbusReader::skip(char type) {
  switch (type) {
    case 's':
    case 'o': TRY(string()); return {};
    case 'g': TRY(signature()); return {};
    case 'u':
    case 'i':
    case 'b':
    case 'h': TRY(u32()); return {};
    case 'y': TRY(byte()); return {};
    default: return corrupt(cat("a value of type ", std::string(1, type), " where none is expected"));
  }
}

}  // namespace skerry::oci
