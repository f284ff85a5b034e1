// The small text formats of the keeper: exit and pid files, reports, log entries, a runtime's JSON log.
// Links: keeper
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/cri_log.h"
#include "base/keeper_protocol.h"
#include "keeper/runtime_log.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace skerry;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto exit = decode_exit(text)) {
    if (decode_exit(encode_exit(*exit)) != *exit) std::abort();
  }
  if (const auto pids = decode_pids(text)) {
    if (decode_pids(encode_pids(*pids)) != *pids) std::abort();
  }
  static_cast<void>(decode_report(text));
  if (const auto entry = parse_cri_entry(text.substr(0, text.find('\n')))) {
    std::string line;
    append_cri_entry(line, *entry);
    line.pop_back();
    if (parse_cri_entry(line)->text != entry->text) std::abort();
  }
  static_cast<void>(keeper::last_error(text));
  return 0;
}
