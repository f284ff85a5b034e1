#include "drivers/cgroup_usage.h"

#include <vector>

#include "base/file_io.h"
#include "base/text.h"

namespace skerry {
namespace {

using Count = std::optional<std::uint64_t>;

Count number(std::string_view text) {
  const auto value = parse_int<std::uint64_t>(trim(text), "count");
  return value ? Count(*value) : std::nullopt;
}

Count read_number(const std::string& path) {
  const auto text = read_file(path, 4096);
  return text ? number(*text) : std::nullopt;
}

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> out;
  for (const auto word : split(line, ' ')) {
    if (!word.empty()) out.push_back(word);
  }
  return out;
}

// The number behind `key` in a file of lines "key number".
Count read_keyed(const std::string& path, std::string_view key) {
  const auto text = read_file(path, 64U << 10U);
  if (!text) return std::nullopt;
  for (const auto line : split(*text, '\n')) {
    const auto parts = words(line);
    if (parts.size() == 2 && parts[0] == key) return number(parts[1]);
  }
  return std::nullopt;
}

Count read_cpu_ns(const CgroupDirectories& directories) {
  const auto dir = find_controller(directories, "cpuacct");
  if (!dir.unified) return read_number(dir.path + "/cpuacct.usage");
  const auto usec = read_keyed(dir.path + "/cpu.stat", "usage_usec");
  return usec ? Count(*usec * 1000) : std::nullopt;
}

// v2 io.stat: "8:0 rbytes=1 wbytes=2 …"; v1: "8:0 Read 1", one line an operation. Summed over the devices.
void read_io(const CgroupDirectories& directories, UsageSample& sample) {
  const auto dir = find_controller(directories, "blkio");
  const auto text = read_file(dir.path + (dir.unified ? "/io.stat" : "/blkio.throttle.io_service_bytes_recursive"));
  if (!text) return;
  std::uint64_t read = 0;
  std::uint64_t written = 0;
  for (const auto line : split(*text, '\n')) {
    const auto parts = words(line);
    if (!dir.unified && parts.size() == 3) {
      if (parts[1] == "Read") read += number(parts[2]).value_or(0);
      if (parts[1] == "Write") written += number(parts[2]).value_or(0);
    }
    for (const auto part : parts) {
      if (dir.unified && part.starts_with("rbytes=")) read += number(part.substr(7)).value_or(0);
      if (dir.unified && part.starts_with("wbytes=")) written += number(part.substr(7)).value_or(0);
    }
  }
  sample.io_read_bytes = read;
  sample.io_write_bytes = written;
}

}  // namespace

UsageSample read_cgroup_usage(const CgroupDirectories& directories) {
  UsageSample sample;
  sample.cpu_ns = read_cpu_ns(directories);
  const auto memory = find_controller(directories, "memory");
  sample.memory_bytes = read_number(memory.path + (memory.unified ? "/memory.current" : "/memory.usage_in_bytes"));
  sample.memory_peak_bytes =
      read_number(memory.path + (memory.unified ? "/memory.peak" : "/memory.max_usage_in_bytes"));
  sample.pids = read_number(find_controller(directories, "pids").path + "/pids.current");
  read_io(directories, sample);
  return sample;
}

namespace {

struct Interface {
  std::string_view name;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
};

// Two lines of heading, then "name: rx-bytes packets errs drop fifo frame compressed multicast tx-bytes …".
template <typename Each>
void for_each_interface(std::string_view proc_net_dev, Each each) {
  for (const auto line : split(proc_net_dev, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto fields = words(line.substr(colon + 1));
    if (fields.size() < 9) continue;
    each(Interface{trim(line.substr(0, colon)), number(fields[0]).value_or(0), number(fields[8]).value_or(0)});
  }
}

}  // namespace

void add_network_usage(std::string_view proc_net_dev, UsageSample& sample) {
  for_each_interface(proc_net_dev, [&](const Interface& each) {
    if (each.name == "lo") return;
    sample.net_rx_bytes = sample.net_rx_bytes.value_or(0) + each.received;
    sample.net_tx_bytes = sample.net_tx_bytes.value_or(0) + each.sent;
  });
}

void add_port_usage(std::string_view proc_net_dev, std::string_view suffix, UsageSample& sample) {
  for_each_interface(proc_net_dev, [&](const Interface& each) {
    if (!each.name.starts_with("sk") || !each.name.ends_with(suffix)) return;
    sample.net_rx_bytes = each.sent;
    sample.net_tx_bytes = each.received;
  });
}

bool is_frozen(const CgroupDirectories& directories) {
  const auto dir = find_controller(directories, "freezer");
  if (dir.path.empty()) return false;
  if (dir.unified) return read_keyed(dir.path + "/cgroup.events", "frozen") == 1U;
  const auto state = read_file(dir.path + "/freezer.state", 64);
  return state && trim(*state) != "THAWED";
}

std::string encode_cgroups(const CgroupDirectories& directories) {
  std::string out;
  for (const auto& [controller, path] : directories) out += cat(controller, " ", path, "\n");
  return out;
}

CgroupDirectories decode_cgroups(std::string_view text) {
  CgroupDirectories out;
  for (const auto line : split(text, '\n')) {
    const auto space = line.find(' ');
    if (space != std::string_view::npos) out.emplace(line.substr(0, space), line.substr(space + 1));
  }
  return out;
}

}  // namespace skerry
