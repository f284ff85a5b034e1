#include "image/kernel_image.h"

#include <cstdint>

#include "base/text.h"

namespace skerry {
namespace {

constexpr std::size_t kSetupSectors = 0x1f1;
constexpr std::size_t kHeaderMagic = 0x202;
constexpr std::size_t kProtocolVersion = 0x206;
constexpr std::size_t kVersionOffset = 0x20e;
constexpr std::size_t kPayloadOffset = 0x248;
constexpr std::size_t kPayloadLength = 0x24c;
constexpr std::size_t kHeaderEnd = 0x250;
constexpr std::uint32_t kFirstWithPayload = 0x0208;
constexpr std::size_t kSectorBytes = 512;
constexpr std::string_view kLz4LegacyMagic("\x02\x21\x4c\x18", 4);
// A block holds at most 8 MiB of text (lz4's "legacy" frame format).
constexpr std::size_t kBlockBytes = 8U << 20U;

std::uint32_t load(std::string_view bytes, std::size_t at, unsigned size) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < size; ++i) value |= std::uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8U * i);
  return value;
}

std::unexpected<Error> corrupt(std::string_view what, std::size_t at) {
  return fail(ErrorCode::kCorrupt, cat("lz4: ", what, " at byte ", at));
}

// A length of four bits in the token, continued by bytes of 255 (lz4_Block_format).
Result<std::size_t> read_length(std::string_view block, std::size_t& at, std::size_t in_token) {
  std::size_t length = in_token;
  if (in_token != 15) return length;
  while (true) {
    if (at >= block.size()) return corrupt("cut short", at);
    const auto more = static_cast<unsigned char>(block[at++]);
    length += more;
    if (length > kBlockBytes) return corrupt("a length beyond the block", at);
    if (more != 255) return length;
  }
}

// Sequences of literals and a match; the last one has literals only. Appends to `out`; matches may reach back only into
// this block.
Status decompress_block(std::string_view block, std::string& out) {
  const std::size_t begin = out.size();
  std::size_t at = 0;
  while (at < block.size()) {
    const auto token = static_cast<unsigned char>(block[at++]);
    const std::size_t literals = TRY(read_length(block, at, token >> 4U));
    if (literals > block.size() - at) return corrupt("literals beyond the end", at);
    if (out.size() - begin + literals > kBlockBytes) return corrupt("a block too large", at);
    out.append(block.substr(at, literals));
    at += literals;
    if (at == block.size()) return {};
    if (block.size() - at < 2) return corrupt("cut short", at);
    const std::size_t distance = load(block, at, 2);
    at += 2;
    const std::size_t length = TRY(read_length(block, at, token & 15U)) + 4;
    if (distance == 0 || distance > out.size() - begin) return corrupt("a match before the begin", at);
    if (out.size() - begin + length > kBlockBytes) return corrupt("a block too large", at);
    // Byte by byte where the match overlaps what it produces.
    if (distance >= length) {
      out.append(out, out.size() - distance, length);
    } else {
      for (std::size_t i = 0; i < length; ++i) out += out[out.size() - distance];
    }
  }
  return {};
}

}  // namespace

bool is_bzimage(std::string_view bytes) {
  return bytes.size() >= kHeaderEnd && bytes.substr(kHeaderMagic, 4) == "HdrS" &&
         load(bytes, kProtocolVersion, 2) >= kFirstWithPayload;
}

bool is_vmlinux(std::string_view bytes) {
  return bytes.starts_with(
      "\x7f"
      "ELF");
}

std::string kernel_release_of(std::string_view bytes) {
  constexpr std::string_view kBanner = "Linux version ";
  constexpr std::size_t kSetupBase = 0x200;
  constexpr std::size_t kMaxRelease = 64;
  std::size_t at = std::string_view::npos;
  if (is_bzimage(bytes)) {
    at = load(bytes, kVersionOffset, 2) + kSetupBase;
  } else if (const auto banner = bytes.find(kBanner); banner != std::string_view::npos) {
    at = banner + kBanner.size();
  }
  if (at >= bytes.size()) return {};
  const auto text = bytes.substr(at, kMaxRelease + 1);
  const auto length = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-_~");
  if (length == std::string_view::npos || text[length] != ' ') return {};
  return std::string(text.substr(0, length));
}

Result<std::string> decompress_lz4_legacy(std::string_view stream, std::size_t limit) {
  if (!stream.starts_with(kLz4LegacyMagic)) return fail(ErrorCode::kUnsupported, "not an LZ4 legacy stream");
  std::string out;
  std::size_t at = kLz4LegacyMagic.size();
  // Behind the last block the kernel's build appends the size of the text, four bytes, which ends the loop too: it is
  // larger than what is left.
  while (stream.size() - at >= 4) {
    const std::size_t size = load(stream, at, 4);
    if (size > stream.size() - at - 4) break;
    at += 4;
    TRY_IN(cat("block at ", at), decompress_block(stream.substr(at, size), out));
    at += size;
    if (out.size() > limit) return fail(ErrorCode::kResourceExhausted, cat("lz4: more than ", limit, " bytes"));
  }
  if (stream.size() - at == 4 && load(stream, at, 4) == static_cast<std::uint32_t>(out.size())) return out;
  if (at == stream.size()) return out;
  return corrupt("cut short", at);
}

Result<std::string> extract_vmlinux(std::string_view bzimage) {
  if (!is_bzimage(bzimage)) return fail(ErrorCode::kCorrupt, "not a bzImage");
  std::size_t setup_sectors = load(bzimage, kSetupSectors, 1);
  if (setup_sectors == 0) setup_sectors = 4;
  const std::size_t begin = (setup_sectors + 1) * kSectorBytes + load(bzimage, kPayloadOffset, 4);
  const std::size_t length = load(bzimage, kPayloadLength, 4);
  if (begin > bzimage.size() || length > bzimage.size() - begin) {
    return fail(ErrorCode::kCorrupt, "bzImage: the payload reaches beyond the end");
  }
  auto vmlinux = annotate(decompress_lz4_legacy(bzimage.substr(begin, length), kMaxKernelBytes), "bzImage");
  if (vmlinux && !is_vmlinux(*vmlinux)) return fail(ErrorCode::kCorrupt, "bzImage: the payload is not an ELF file");
  return vmlinux;
}

}  // namespace skerry
