// skerry doctor: what of this host Skerry can use, what is missing and how to get it. The host's part works without the
// daemon and only reads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/http_client.h"

namespace skerry::cli {

enum class Verdict : std::uint8_t {
  kGood,
  kWeak,    // works, but slower or with less than it could
  kBroken,  // something the user wants will not work
};
struct Finding {
  std::string subject;  // "memory controller"
  Verdict verdict = Verdict::kGood;
  std::string detail;
  std::string remedy;  // what to do; empty when nothing is to be done
};

std::vector<Finding> examine_host();
// Adds what is installed: the programs, the group, the service, room for images.
void examine_installation(std::vector<Finding>& findings);
// Whether there is room for images and disks.
Finding examine_space(const std::string& directory, std::uint64_t free_bytes);
// Adds what the daemon says of itself and of its isolations; what it says of its state directory replaces what was
// found of the usual one.
void examine_daemon(HttpClient& http, std::vector<Finding>& findings);

std::string findings_text(const std::vector<Finding>& findings);
std::string findings_json(const std::vector<Finding>& findings);

}  // namespace skerry::cli
