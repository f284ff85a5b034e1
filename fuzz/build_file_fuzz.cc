// Build files (TOML) as users write them. What parses has only normal absolute mapping targets.
// Links: wire core
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/build_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace wire = skerry::wire;
  const auto file = wire::parse_build_file({reinterpret_cast<const char*>(data), size});
  if (!file) return 0;
  for (const auto& mapping : file->mappings) {
    if (!mapping.target.starts_with('/') || (mapping.target + "/").find("/../") != std::string::npos) std::abort();
  }
  std::ignore = wire::complete_manifest(
      *file, {wire::BuiltArtifact::Kind::kRootfs, "file:///x", "sha256:" + std::string(64, 'a'), "erofs"}, {});
  return 0;
}
