// Links: qemu_driver driver_container network
//
// Many forks of one template alive at once: what the last ones take beside the first ones. And a request from the host
// to a guest's server beside the same server in a container. Usage: microvm_fleet_bench RESULT.json, with
// SKERRY_BIN_DIR. SKERRY_BENCH_FORKS: how many (50).
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdio>
#include <numeric>
#include <vector>

#include "bench_row.h"
#include "core/net.h"
#include "drivers/container/container_driver.h"
#include "microvm_place.h"
#include "network/bridge.h"

namespace skerry {
namespace {

constexpr std::size_t kForks = 50;
constexpr std::size_t kEnd = 10;  // this many at either end are compared
constexpr int kRequests = 200;
constexpr const char* kGuest = "192.168.127.100";
constexpr const char* kContainer = "192.168.127.101";

Result<std::size_t> wanted_forks() {
  const char* wanted = std::getenv("SKERRY_BENCH_FORKS");
  if (wanted == nullptr) return kForks;
  const auto number = TRY(parse_int<std::size_t>(wanted, "SKERRY_BENCH_FORKS"));
  if (number < 2 * kEnd) return fail(ErrorCode::kInvalidArgument, cat("SKERRY_BENCH_FORKS: at least ", 2 * kEnd));
  return number;
}

// What no other process has a part in: /proc/PID/smaps_rollup (proc(5)).
Result<double> private_mib(std::int64_t pid) {
  const std::string text = TRY(read_file(cat("/proc/", pid, "/smaps_rollup"), 65536));
  std::uint64_t kib = 0;
  for (const auto line : split(text, '\n')) {
    if (!line.starts_with("Private_Clean:") && !line.starts_with("Private_Dirty:")) continue;
    auto number = trim(line.substr(line.find(':') + 1));
    kib += TRY(parse_int<std::uint64_t>(number.substr(0, number.find(' ')), "smaps_rollup"));
  }
  return static_cast<double>(kib) / 1024;
}

struct Fleet {
  std::vector<double> ms;
  std::vector<double> mib;
};

// Starts a second, one after the other.
double rate_of(const std::vector<double>& ms) {
  return 1000 * static_cast<double>(ms.size()) / std::accumulate(ms.begin(), ms.end(), 0.0);
}

Launch contained(bench::Place& place) {
  Launch launch = bench::next_launch(place);
  launch.spec.isolation = Isolation::kContainer;
  return launch;
}

double median_of(const std::vector<double>& values, std::size_t from) {
  return bench::median(
      {values.begin() + static_cast<std::ptrdiff_t>(from), values.begin() + static_cast<std::ptrdiff_t>(from + kEnd)});
}

Result<Fleet> grow_fleet(bench::Place& place, Driver& driver, std::size_t size, Launch (*next)(bench::Place&)) {
  const Launch first = next(place);
  TRY(driver.start(first));  // of a microVM: makes the template
  TRY(driver.destroy(first.place));
  std::vector<Launch> alive;
  std::vector<std::int64_t> pids;
  Fleet fleet;
  for (std::size_t i = 0; i < size; ++i) {
    alive.push_back(next(place));
    const MonoTime begin = SystemClock().monotonic();
    pids.push_back(TRY(driver.start(alive.back())).pid);
    fleet.ms.push_back(bench::ms_since(begin));
  }
  for (const auto pid : pids) fleet.mib.push_back(TRY(private_mib(pid)));
  for (const auto& each : alive) TRY(driver.destroy(each.place));
  return fleet;
}

// One request on a connection of its own, until the server closes it.
Result<double> time_request(const char* address, Duration patience) {
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(80);
  ::inet_pton(AF_INET, address, &peer.sin_addr);
  const MonoTime end = SystemClock().monotonic() + patience;
  while (true) {
    const MonoTime begin = SystemClock().monotonic();
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0) {
      TRY(sys::write_all(socket.get(), "GET /index.html HTTP/1.0\r\n\r\n"));
      const auto text = TRY(sys::read_to_end(socket.get(), 65536));
      if (text.find("a page") == std::string::npos) return fail(ErrorCode::kInternal, "another page");
      return bench::ms_since(begin);
    }
    // The server was started, but may not listen yet.
    if (SystemClock().monotonic() >= end) return fail_errno(cat("connect to ", address));
    ::poll(nullptr, 0, 10);
  }
}

Launch served(bench::Place& place, Isolation isolation, const char* ip) {
  Launch launch = bench::next_launch(place);
  launch.spec.isolation = isolation;
  launch.spec.command = {"httpd", "-f", "-p", "80", "-h", "/srv"};
  const auto mac = MacAddress::for_address(Ipv4::parse(ip).value()).text();
  launch.network = NetworkAttachment{"vbr0", ip, 24, "192.168.127.1", mac, {"192.168.127.1"}};
  return launch;
}

struct Requests {
  double guest_ms = 0;
  double container_ms = 0;
};

Result<Requests> time_requests(bench::Place& place, Driver& microvms, Driver& containers) {
  network::BridgeSpec bridge;
  bridge.name = "vbr0";
  bridge.address = TRY(Cidr::parse("192.168.127.1/24"));
  TRY(network::ensure_bridge(bridge));
  const Launch guest = served(place, Isolation::kMicrovm, kGuest);
  const Launch container = served(place, Isolation::kContainer, kContainer);
  TRY(microvms.start(guest));
  TRY(containers.start(container));
  std::vector<double> of_guest;
  std::vector<double> of_container;
  for (int i = 0; i < kRequests; ++i) {
    of_guest.push_back(TRY(time_request(kGuest, std::chrono::seconds(10))));
    of_container.push_back(TRY(time_request(kContainer, std::chrono::seconds(10))));
  }
  TRY(microvms.destroy(guest.place));
  TRY(containers.destroy(container.place));
  return Requests{bench::median(of_guest), bench::median(of_container)};
}

Status measure(const std::string& result) {
  const auto forks = TRY(wanted_forks());
  auto place = TRY(bench::prepare_place({"sleep", "1000"}));
  const auto microvms = bench::make_driver(place, 2);
  const auto containers = make_container_driver(bench::jail_of(place), *place.images);
  const auto fleet = TRY(grow_fleet(place, *microvms, forks, bench::next_launch));
  const auto of_containers = TRY(grow_fleet(place, *containers, forks, contained));
  const auto requests = TRY(time_requests(place, *microvms, *containers));
  return bench::write_rows(
      result,
      {{"microvm.fleet.time", median_of(fleet.ms, forks - kEnd), median_of(fleet.ms, 0), 1.2,
        cat(forks, " forks alive at once: start of the last ten against the first ten")},
       {"microvm.fleet.memory", median_of(fleet.mib, forks - kEnd), median_of(fleet.mib, 0), 1.1,
        "the same: private memory of the VMM with its guest of 128 MiB", "MiB"},
       {"microvm.fleet.rate", rate_of(fleet.ms), rate_of(of_containers.ms), 0,
        "forks a second, one after the other, against containers of the same image", "forks/s", bench::Better::kHigher},
       {"microvm.http.container", requests.guest_ms, requests.container_ms, 0,
        "host to guest and back, a connection a request, emulated processor"}});
}

}  // namespace
}  // namespace skerry

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: microvm_fleet_bench RESULT.json\n", stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto measured = skerry::measure(argv[1]);
  if (measured) return 0;
  std::fprintf(stderr, "microvm_fleet_bench: %s\n", measured.error().message().c_str());
  return 1;
}
