// The on-disk format of EROFS, as far as Skerry writes it: uncompressed, 4 KiB blocks, extended inodes.
//
// Facts from the Linux kernel's Documentation/filesystems/erofs.rst and the on-disk definitions of fs/erofs. All
// numbers are little-endian. Readable since Linux 5.4 (no incompatible feature is used).
//
//   block 0          1 … d              d+1 …                  m …
//   ┌────┬────────┬──────────────┬──────────────────────┬──────────────────────────┐
//   │1 KiB│super… │ file content │ directory blocks and │ inodes, with attributes, │
//   │zero │block  │              │ long symlinks        │ short content, tails     │
//   └────┴────────┴──────────────┴──────────────────────┴──────────────────────────┘
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::erofs {

inline constexpr std::uint64_t kBlockSize = 4096;
inline constexpr unsigned kBlockBits = 12;
inline constexpr std::uint64_t kSuperOffset = 1024;
inline constexpr std::uint32_t kMagic = 0xE0F5E1E2;
inline constexpr std::uint32_t kCompatChecksum = 0x1;
inline constexpr std::uint32_t kCompatMtime = 0x2;
// A node id counts in these from the start of the metadata area.
inline constexpr std::uint64_t kSlotSize = 32;
inline constexpr std::uint64_t kInodeSize = 64;
inline constexpr std::uint64_t kDirentSize = 12;
inline constexpr std::uint64_t kXattrHeaderSize = 12;
inline constexpr std::uint64_t kXattrEntrySize = 4;

enum class Layout : std::uint16_t {
  kPlain = 0,   // all content in blocks
  kInline = 2,  // whole blocks first, the tail directly behind the inode
};

enum class FileType : std::uint8_t { kRegular = 1, kDirectory, kCharDevice, kBlockDevice, kFifo, kSocket, kSymlink };

// Appends little-endian numbers.
template <typename T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out += static_cast<char>(static_cast<unsigned char>(static_cast<std::uint64_t>(value) >> (8 * i)));
  }
}

// The numbers of attribute name prefixes ("user." is 1); the rest of the name follows. Index 0: not representable.
struct XattrName {
  std::uint8_t index = 0;
  std::string_view rest;
};
inline XattrName split_xattr_name(std::string_view name) {
  struct Prefix {
    std::string_view text;
    std::uint8_t index;
  };
  constexpr Prefix kPrefixes[] = {
      {"user.", 1}, {"system.posix_acl_access", 2}, {"system.posix_acl_default", 3}, {"trusted.", 4}, {"security.", 6}};
  for (const auto& prefix : kPrefixes) {
    if (name.starts_with(prefix.text)) return {prefix.index, name.substr(prefix.text.size())};
  }
  return {};
}

}  // namespace skerry::erofs
