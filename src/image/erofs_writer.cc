#include "image/erofs_writer.h"

#include "base/sys_at.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "image/erofs_format.h"
#include "image/erofs_layout.h"

namespace skerry {
namespace {

using erofs::kBlockSize;

constexpr std::size_t kFlushAt = 1U << 20U;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) { return (value + to - 1) / to * to; }

// CRC-32C (RFC 3720 appendix B.4) without the final inversion, as the kernel computes it for the super block.
std::uint32_t crc32c(std::string_view bytes) {
  constexpr std::uint32_t kReversedPolynomial = 0x82F63B78;
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? kReversedPolynomial : 0);
  }
  return crc;
}

struct SuperBlock {
  std::uint64_t root_node = 0;
  std::uint64_t inodes = 0;
  std::uint64_t blocks = 0;
  std::uint64_t metadata_block = 0;
  std::array<std::uint8_t, 16> uuid{};
};

// Block 0 whole. The checksum covers everything from the super block to the end of the block.
std::string encode_block_0(const SuperBlock& super) {
  const auto encode = [&](std::uint32_t checksum) {
    std::string out(erofs::kSuperOffset, '\0');
    erofs::put(out, erofs::kMagic);
    erofs::put(out, checksum);
    erofs::put(out, erofs::kCompatChecksum | erofs::kCompatMtime);
    erofs::put(out, static_cast<std::uint8_t>(erofs::kBlockBits));
    erofs::put(out, std::uint8_t{0});  // no extension slots
    erofs::put(out, static_cast<std::uint16_t>(super.root_node));
    erofs::put(out, super.inodes);
    erofs::put(out, std::uint64_t{0});  // build time: fixed
    erofs::put(out, std::uint32_t{0});
    erofs::put(out, static_cast<std::uint32_t>(super.blocks));
    erofs::put(out, static_cast<std::uint32_t>(super.metadata_block));
    erofs::put(out, std::uint32_t{0});  // no shared attributes
    out.append(reinterpret_cast<const char*>(super.uuid.data()), super.uuid.size());
    out.resize(kBlockSize, '\0');  // no name, no incompatible features, no further devices
    return out;
  };
  return encode(crc32c(std::string_view(encode(0)).substr(erofs::kSuperOffset)));
}

}  // namespace

// Block 0 is written last: an image that is not finished has no super block.
ErofsWriter::ErofsWriter(int fd) : fd_(fd), buffer_at_(kBlockSize) { buffer_.reserve(kFlushAt + kBlockSize); }

Status ErofsWriter::flush() {
  TRY(sys::pwrite_all(fd_, buffer_, buffer_at_));
  buffer_at_ += buffer_.size();
  buffer_.clear();
  return {};
}

Status ErofsWriter::append(std::string_view bytes) {
  if (buffer_.empty() && bytes.size() >= kFlushAt) {
    TRY(sys::pwrite_all(fd_, bytes, buffer_at_));
    buffer_at_ += bytes.size();
    return {};
  }
  buffer_ += bytes;
  return buffer_.size() < kFlushAt ? Status() : flush();
}

Status ErofsWriter::skip_to(std::uint64_t position) {
  const std::uint64_t gap = position - (buffer_at_ + buffer_.size());
  if (gap < kBlockSize) {
    buffer_.append(gap, '\0');
    return {};
  }
  TRY(flush());
  buffer_at_ = position;
  return {};
}

Result<std::uint64_t> ErofsWriter::begin_file() {
  file_start_ = round_up(buffer_at_ + buffer_.size(), kBlockSize);
  TRY(skip_to(file_start_));
  return file_start_ / kBlockSize;
}

Status ErofsWriter::write(std::uint64_t offset, std::string_view bytes) {
  TRY(skip_to(file_start_ + offset));
  return append(bytes);
}

Status ErofsWriter::end_file(std::uint64_t size) { return skip_to(file_start_ + size); }

Status ErofsWriter::finish(const MergedTree& tree, const std::array<std::uint8_t, 16>& uuid) {
  const std::uint64_t first_block = round_up(buffer_at_ + buffer_.size(), kBlockSize) / kBlockSize;
  const auto plan = TRY(erofs::MetadataPlan::make(tree, first_block));
  const auto whole_content = [&](const erofs::PlacedInode& placed) {
    return placed.directory != nullptr ? plan.listing(placed) : placed.inode->link_target;
  };
  for (const auto& placed : plan.inodes()) {
    const bool has_blocks = placed.inode->kind != LayerEntry::Kind::kFile && placed.size > placed.inline_bytes;
    if (!has_blocks) continue;
    TRY(skip_to(placed.blocks_at * kBlockSize));
    TRY(append(std::string_view(whole_content(placed)).substr(0, placed.size - placed.inline_bytes)));
  }
  const std::uint64_t metadata_at = plan.metadata_block() * kBlockSize;
  std::uint32_t number = 0;
  for (const auto& placed : plan.inodes()) {
    TRY(skip_to(metadata_at + placed.position));
    TRY(append(plan.encode(placed, ++number)));
    if (placed.inline_bytes != 0) {
      TRY(append(std::string_view(whole_content(placed)).substr(placed.size - placed.inline_bytes)));
    }
  }
  TRY(flush());
  SuperBlock super;
  super.root_node = plan.node_id(tree.root().inode);
  super.inodes = plan.inodes().size();
  super.metadata_block = plan.metadata_block();
  super.blocks = round_up(metadata_at + plan.metadata_bytes(), kBlockSize) / kBlockSize;
  super.uuid = uuid;
  TRY(sys::ftruncate(fd_, super.blocks * kBlockSize));
  return sys::pwrite_all(fd_, encode_block_0(super), 0);
}

}  // namespace skerry
