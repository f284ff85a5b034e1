#include "agent/stats.h"

#include <dirent.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cctype>
#include <memory>
#include <vector>

#include "base/file_io.h"
#include "base/text.h"

namespace skerry::agent {
namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (const auto word : split(line, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

std::uint64_t number_at(const std::vector<std::string_view>& words, std::size_t at) {
  return at < words.size() ? parse_int<std::uint64_t>(words[at], "number").value_or(0) : 0;
}

std::uint32_t count_processes() {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  std::uint32_t count = 0;
  while (const dirent* entry = proc ? ::readdir(proc.get()) : nullptr) {
    if (std::isdigit(static_cast<unsigned char>(entry->d_name[0])) != 0) ++count;
  }
  return count;
}

}  // namespace

void read_meminfo(std::string_view text, wire::GuestStats& stats) {
  for (const auto line : split(text, '\n')) {
    const auto words = words_of(line);
    if (line.starts_with("MemTotal:")) stats.memory_total_bytes = number_at(words, 1) * 1024;
    if (line.starts_with("MemAvailable:")) stats.memory_available_bytes = number_at(words, 1) * 1024;
  }
}

std::uint64_t oom_kills_in(std::string_view vmstat) {
  for (const auto line : split(vmstat, '\n')) {
    if (line.starts_with("oom_kill ")) return number_at(words_of(line), 1);
  }
  return 0;
}

// "cpu user nice system idle iowait irq softirq …", in ticks.
void read_stat(std::string_view text, long ticks_per_second, wire::GuestStats& stats) {
  const auto words = words_of(text.substr(0, text.find('\n')));
  if (words.empty() || words[0] != "cpu" || ticks_per_second <= 0) return;
  const auto ms = [&](std::uint64_t ticks) { return ticks * 1000 / static_cast<std::uint64_t>(ticks_per_second); };
  stats.cpu_user_ms = ms(number_at(words, 1) + number_at(words, 2));
  stats.cpu_system_ms = ms(number_at(words, 3) + number_at(words, 6) + number_at(words, 7));
  stats.cpu_idle_ms = ms(number_at(words, 4) + number_at(words, 5));
}

void read_net_dev(std::string_view text, wire::GuestStats& stats) {
  for (const auto line : split(text, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos || trim(line.substr(0, colon)) == "lo") continue;
    const auto words = words_of(line.substr(colon + 1));
    stats.network_received_bytes += number_at(words, 0);
    stats.network_sent_bytes += number_at(words, 8);
  }
}

wire::GuestStats sample_stats() {
  wire::GuestStats stats;
  read_meminfo(read_file("/proc/meminfo").value_or(""), stats);
  read_stat(read_file("/proc/stat").value_or(""), ::sysconf(_SC_CLK_TCK), stats);
  read_net_dev(read_file("/proc/net/dev").value_or(""), stats);
  stats.processes = count_processes();
  struct statfs root{};
  if (::statfs("/", &root) == 0) {
    stats.root_total_bytes = root.f_blocks * static_cast<std::uint64_t>(root.f_bsize);
    stats.root_free_bytes = root.f_bavail * static_cast<std::uint64_t>(root.f_bsize);
  }
  const auto statm = read_file("/proc/self/statm").value_or("");
  stats.agent_resident_bytes = number_at(words_of(statm), 1) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return stats;
}

}  // namespace skerry::agent
