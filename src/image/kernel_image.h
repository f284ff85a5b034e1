// Taking a Linux kernel image apart: the uncompressed vmlinux inside a bzImage, which a VMM boots by its PVH entry some
// 0.2 s faster than the bzImage itself.
//
// Source: Linux Documentation/arch/x86/boot.rst (setup_sects, payload_offset, payload_length) and the LZ4 legacy frame
// ("lz4 -l", magic 0x184C2102), which Debian's cloud kernels use. Pure; the input is not trusted.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry {

inline constexpr std::size_t kMaxKernelBytes = 256U << 20U;

// Whether the bytes begin like a bzImage ("HdrS", boot protocol 2.08 or newer) or like an ELF vmlinux.
bool is_bzimage(std::string_view bytes);
bool is_vmlinux(std::string_view bytes);

// kCorrupt: not a bzImage, or cut short. kUnsupported: another compression; the bzImage itself still boots.
Result<std::string> extract_vmlinux(std::string_view bzimage);

// What uname -r will say: boot protocol's kernel_version of a bzImage, the banner "Linux version …" of a vmlinux. Empty
// when it is not found or not made of letters, digits and ".+-_~".
std::string kernel_release_of(std::string_view bytes);

// One LZ4 legacy stream. kCorrupt names the offset; kResourceExhausted above `limit` bytes.
Result<std::string> decompress_lz4_legacy(std::string_view stream, std::size_t limit);

}  // namespace skerry
