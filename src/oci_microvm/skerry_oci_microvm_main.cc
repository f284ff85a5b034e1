// skerry-oci-microvm: an OCI runtime that boots a microVM for each container. oci/cli.h has its command line,
// microvm_runtime.h the engine.
#include <filesystem>
#include <string>
#include <vector>

#include "oci/cli.h"
#include "oci_microvm/microvm_runtime.h"
#include "oci_microvm/supervisor.h"

int main(int argc, char** argv) {
  using namespace skerry;
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == oci_microvm::kSupervise) {
    return oci_microvm::supervise({words.begin() + 1, words.end()});
  }
  const oci::Face face{"skerry-oci-microvm", "+qemu +virtiofs", [](oci::RuntimeOptions options) {
                         oci_microvm::Programs programs;
                         std::error_code error;
                         programs.directory = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
                         return std::make_unique<oci_microvm::MicrovmRuntime>(std::move(options), std::move(programs));
                       }};
  return oci::run_command_line(face, words);
}
