// Runs every file of a corpus directory through a fuzz target once: yesterday's finds as ordinary tests, without
// libFuzzer.
#include <cstdint>
#include <cstdio>
#include <filesystem>

#include "base/file_io.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  int count = 0;
  std::error_code missing;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[1], missing)) {
    if (!entry.is_regular_file()) continue;
    const auto content = skerry::read_file(entry.path());
    if (!content) {
      std::fprintf(stderr, "%s\n", content.error().message().c_str());
      return 1;
    }
    // A crash shows as a signal: this line tells on which input.
    std::fprintf(stderr, "%s\n", entry.path().c_str());
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(content->data()), content->size());
    ++count;
  }
  std::fprintf(stderr, "%d inputs\n", count);
  return count > 0 ? 0 : 1;
}
