// The record beside a checkpoint's images, CRIU's answers and a table of mounts: reading them never crashes.
// Links: oci
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/mount_table.h"
#include "oci/criu_messages.h"
#include "wire/oci_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)skerry::oci::decode_criu_answer(text);
  (void)skerry::parse_mount_table(text);
  if (const auto record = skerry::oci::parse_checkpoint_record(text)) {
    const std::string written = skerry::oci::to_json(*record);
    if (!skerry::oci::parse_checkpoint_record(written)) __builtin_trap();
  }
  return 0;
}
