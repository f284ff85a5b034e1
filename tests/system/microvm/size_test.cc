// What a microVM costs beside its workload.
#include <gmock/gmock.h>

#include "microvm_host.h"

namespace skerry {
namespace {

constexpr long kKib = 1024;

class SizeTest : public MicrovmTest {
 protected:
  // A number of KiB behind "NAME:" in a file of the guest's /proc.
  long kib(const Launch& launch, const std::string& file, std::string_view name) {
    const std::string text = exec(launch, {"cat", file}).out;
    for (const auto line : split(text, '\n')) {
      if (line.starts_with(cat(name, ":")))
        return std::strtol(std::string(line.substr(name.size() + 1)).c_str(), nullptr, 10);
    }
    ADD_FAILURE() << file << " has no " << name;
    return 0;
  }
};

// C107 allows 10 MB.
TEST_F(SizeTest, TheAgentIsSmall) {
  EXPECT_LE(sys::stat(bin("skerry-agent"))->st_size, 2 * kKib * kKib);
  auto& launch = launch_of("agent", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  EXPECT_LE(kib(launch, "/proc/1/status", "VmRSS"), 3 * kKib);
}

}  // namespace
}  // namespace skerry
