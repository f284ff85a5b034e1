#include "base/frame.h"

#include <array>
#include <cassert>

#include "base/sys_file.h"
#include "base/text.h"

namespace skerry {
namespace {

std::uint32_t load_u32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i)
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << (8U * i);
  return value;
}

std::uint16_t load_u16(std::string_view bytes) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) |
                                    (static_cast<unsigned>(static_cast<unsigned char>(bytes[1])) << 8U));
}

}  // namespace

std::string encode_u32(std::uint32_t value) {
  std::string out(4, '\0');
  for (unsigned i = 0; i < 4; ++i) out[i] = static_cast<char>((value >> (8U * i)) & 0xFFU);
  return out;
}

Result<std::uint32_t> decode_u32(std::string_view payload) {
  if (payload.size() != 4) return fail(ErrorCode::kCorrupt, cat("a number of ", payload.size(), " bytes, not 4"));
  return load_u32(payload);
}

std::string encode_size(TerminalSize size) {
  const std::uint32_t both = size.columns | (static_cast<std::uint32_t>(size.rows) << 16U);
  return encode_u32(both);
}

Result<TerminalSize> decode_size(std::string_view payload) {
  if (payload.size() != 4)
    return fail(ErrorCode::kCorrupt, cat("a terminal size of ", payload.size(), " bytes, not 4"));
  return TerminalSize{load_u16(payload), load_u16(payload.substr(2))};
}

std::string encode_frame(FrameKind kind, std::uint32_t session, std::string_view payload) {
  assert(payload.size() <= kMaxFramePayload);
  std::string out;
  out.reserve(kFrameHeaderSize + payload.size());
  out += encode_u32(static_cast<std::uint32_t>(payload.size()));
  out += static_cast<char>(kind);
  out.append(3, '\0');
  out += encode_u32(session);
  out += payload;
  return out;
}

Result<std::optional<Frame>> FrameParser::next() {
  if (broken_) return fail(ErrorCode::kCorrupt, "frame stream already broken");
  const std::string_view rest = std::string_view(buffer_).substr(offset_);
  if (rest.size() < kFrameHeaderSize) return std::nullopt;
  const std::uint32_t length = load_u32(rest);
  const auto kind = static_cast<unsigned char>(rest[4]);
  const bool known =
      kind >= static_cast<unsigned char>(FrameKind::kRequest) && kind <= static_cast<unsigned char>(FrameKind::kResume);
  if (!known || length > kMaxFramePayload || rest.substr(5, 3) != std::string_view("\0\0\0", 3)) {
    broken_ = true;
    return fail(ErrorCode::kCorrupt, cat("malformed frame: kind ", static_cast<int>(kind), ", length ", length));
  }
  if (rest.size() < kFrameHeaderSize + length) {
    // Drop what was handed out already, so that the buffer stays bounded by one frame and one read.
    buffer_.erase(0, offset_);
    offset_ = 0;
    return std::nullopt;
  }
  Frame frame{static_cast<FrameKind>(kind), load_u32(rest.substr(8)),
              std::string(rest.substr(kFrameHeaderSize, length))};
  offset_ += kFrameHeaderSize + length;
  if (offset_ == buffer_.size()) {
    buffer_.clear();
    offset_ = 0;
  }
  return frame;
}

Result<std::optional<Frame>> read_frame(int fd, FrameParser& parser) {
  while (true) {
    auto frame = TRY(parser.next());
    if (frame) return frame;
    std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const auto got = TRY(sys::read(fd, buffer.data(), buffer.size()));
    if (got == 0) {
      if (parser.pending() > 0) return fail(ErrorCode::kCorrupt, "the stream ended inside a frame");
      return std::nullopt;
    }
    parser.feed(std::string_view(buffer.data(), got));
  }
}

Status write_frame(int fd, FrameKind kind, std::uint32_t session, std::string_view payload) {
  return sys::write_all(fd, encode_frame(kind, session, payload));
}

}  // namespace skerry
