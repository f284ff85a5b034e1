// The manifest value of the kernel command line: base64url(gzip(text)), unpadded (RFC 4648 section 5, RFC 1952).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skerry::wire {

// Most bytes of the unpacked text; a packed value that claims more is refused while it unpacks.
inline constexpr std::size_t kMaxManifestText = 1U << 20U;

// Same text, same bytes: no time stamp, no name, fixed level.
Result<std::string> encode_manifest(std::string_view text);
// kCorrupt: not base64url, not gzip, wrong checksum, cut short, or bytes behind the end. kResourceExhausted: too large.
Result<std::string> decode_manifest(std::string_view value);

std::string base64url_encode(std::string_view bytes);
// Strict: no padding, no white space, unused bits zero.
Result<std::string> base64url_decode(std::string_view text);

}  // namespace skerry::wire
