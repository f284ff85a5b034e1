#include "image/kernel_image.h"

#include <gtest/gtest.h>

namespace skerry {
namespace {

std::string le(std::uint32_t value, unsigned size) {
  std::string out;
  for (unsigned i = 0; i < size; ++i) out += static_cast<char>(value >> (8U * i) & 0xFFU);
  return out;
}

const std::string kMagic("\x02\x21\x4c\x18", 4);

std::string stream_of(const std::string& block) {
  return kMagic + le(static_cast<std::uint32_t>(block.size()), 4) + block;
}

std::string bzimage_with(const std::string& payload) {
  std::string image(1024, '\0');
  image[0x1f1] = 1;
  image.replace(0x202, 4, "HdrS");
  image.replace(0x206, 2, le(0x020f, 2));
  image.replace(0x248, 4, le(0, 4));
  image.replace(0x24c, 4, le(static_cast<std::uint32_t>(payload.size()), 4));
  return image + payload;
}

TEST(Lz4Legacy, LiteralsAndMatches) {
  // "abc", then a match of 7 at distance 3, then the literal "!".
  const std::string block = std::string("\x33") + "abc" + le(3, 2) + std::string("\x10") + "!";
  EXPECT_EQ(decompress_lz4_legacy(stream_of(block), 100).value_or("?"), "abcabcabca!");
  EXPECT_EQ(decompress_lz4_legacy(stream_of(block) + le(11, 4), 100).value_or("?"), "abcabcabca!");
}

TEST(Lz4Legacy, RefusesWhatIsBroken) {
  const std::string block = std::string("\x33") + "abc" + le(3, 2) + std::string("\x10") + "!";
  const std::string good = stream_of(block);
  for (std::size_t cut = 9; cut < good.size(); ++cut) EXPECT_FALSE(decompress_lz4_legacy(good.substr(0, cut), 100));
  EXPECT_FALSE(decompress_lz4_legacy(stream_of(std::string("\x33") + "abc" + le(4, 2) + "\x10!"), 100));
  EXPECT_FALSE(decompress_lz4_legacy(stream_of(std::string("\x33") + "abc" + le(0, 2) + "\x10!"), 100));
  EXPECT_FALSE(decompress_lz4_legacy(good, 10));
  EXPECT_FALSE(decompress_lz4_legacy("gzip", 10));
  // A match of a length that would fill memory.
  EXPECT_FALSE(decompress_lz4_legacy(stream_of("\x1f"
                                               "a" +
                                               le(1, 2) + std::string(100'000, '\xff') + "\x10!"),
                                     1U << 30U));
}

TEST(KernelImage, GivesTheElfFile) {
  const std::string block = std::string("\x80") +
                            "\x7f"
                            "ELF1234";
  EXPECT_EQ(extract_vmlinux(bzimage_with(stream_of(block) + le(8, 4))).value_or("?"),
            "\x7f"
            "ELF1234");
}

TEST(KernelImage, RefusesWhatIsNotOne) {
  EXPECT_EQ(extract_vmlinux("MZ").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(extract_vmlinux(bzimage_with("\x1f\x8b gzip")).error().code, ErrorCode::kUnsupported);
  std::string lying = bzimage_with("x");
  lying.replace(0x24c, 4, le(0x7fffffff, 4));
  EXPECT_EQ(extract_vmlinux(lying).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(extract_vmlinux(bzimage_with(stream_of("\x40text"))).error().code, ErrorCode::kCorrupt);
}

TEST(KernelImage, TellsItsRelease) {
  std::string image = bzimage_with("");
  image.replace(0x20e, 2, le(0x100, 2));
  image.replace(0x300, 30, "6.1.4-skerry (skerry@skerry) #");
  EXPECT_EQ(kernel_release_of(image), "6.1.4-skerry");
  EXPECT_EQ(kernel_release_of("\x7f"
                              "ELF junk Linux version 5.10.0-9-amd64 (me) junk"),
            "5.10.0-9-amd64");
  // Nothing that could break a line, and nothing from beyond the end.
  image.replace(0x300, 6, "6.1\n.4");
  EXPECT_EQ(kernel_release_of(image), "");
  image.replace(0x20e, 2, le(0xffff, 2));
  EXPECT_EQ(kernel_release_of(image), "");
  EXPECT_EQ(kernel_release_of("Linux version " + std::string(200, 'a')), "");
  EXPECT_EQ(kernel_release_of(""), "");
}

}  // namespace
}  // namespace skerry
