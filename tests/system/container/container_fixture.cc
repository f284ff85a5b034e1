#include "container_fixture.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "base/cgroup_paths.h"
#include "base/directory_watch.h"
#include "base/file_io.h"
#include "base/log_reader.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "core/net.h"
#include "network/bridge.h"
#include "network/link.h"

namespace skerry::testing {
namespace {

constexpr const char* kBridge = "skt0";
constexpr const char* kGateway = "10.199.7.1/24";

void make_busybox_rootfs(const std::string& rootfs) {
  for (const auto* name : {"bin", "etc", "tmp", "proc", "sys", "dev", "root", "home"}) {
    ASSERT_TRUE(sys::mkdir_all(cat(rootfs, "/", name), 0755));
  }
  ASSERT_TRUE(sys::chmod(rootfs + "/tmp", 01777));
  const auto busybox = read_file("/bin/busybox");
  ASSERT_TRUE(busybox) << "package busybox-static";
  ASSERT_TRUE(write_file_atomic(rootfs + "/bin/busybox", *busybox, 0755));
  for (const auto* name :
       {"sh",   "cat", "echo", "ls",   "sleep", "id",  "ps",  "dd",   "touch", "mount", "hostname", "stat",
        "ping", "ip",  "head", "tail", "seq",   "env", "pwd", "true", "stty",  "nc",    "wc",       "readlink"}) {
    ASSERT_TRUE(sys::symlink("busybox", cat(rootfs, "/bin/", name)));
  }
  ASSERT_TRUE(
      write_file_atomic(rootfs + "/etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home:/bin/sh\n", 0644));
  ASSERT_TRUE(write_file_atomic(rootfs + "/etc/group", "root:x:0:\napp:x:1000:\naudio:x:29:app\n", 0644));
}

std::string arguments_of(const std::string& pid) { return read_file(cat("/proc/", pid, "/cmdline")).value_or(""); }

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  DIR* stream = ::opendir(directory.c_str());
  if (stream == nullptr) return names;
  while (const dirent* entry = ::readdir(stream)) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(stream);
  return names;
}

// Where the containers' groups of this test may stand: in every hierarchy, below its root or below our own group.
std::vector<std::string> parent_groups(const HostPaths& paths) {
  constexpr std::size_t kMountPoints = std::string_view("/sys/fs/cgroup/").size();
  std::vector<std::string> groups;
  const auto own = cgroup_directories_of(::getpid()).value();
  for (const auto& [controller, path] : own) {
    groups.push_back(path + paths.cgroup_parent());
    groups.push_back(path.substr(0, path.find('/', kMountPoints)) + paths.cgroup_parent());
  }
  return groups;
}

}  // namespace

std::string runtime_path() {
  const char* other = std::getenv("SKERRY_TEST_RUNTIME");
  return other != nullptr ? other : SKERRY_BIN_DIR "/skerry-oci";
}

EnvironmentPlace HostPaths::place(const std::string& id) const {
  return {id, "env-" + id.substr(id.size() - 2), cat(root, "/state/", id), cat(root, "/run/", id)};
}

std::string HostPaths::cgroup_parent() const { return cat("/skerry-test-", root.substr(root.rfind('.') + 1)); }

JailConfig jail_config(const HostPaths& paths) {
  JailConfig config;
  config.runtime = runtime_path();
  config.keeper = SKERRY_BIN_DIR "/skerry-keeper";
  config.runtime_root = paths.runtime_root();
  config.cgroup_parent = paths.cgroup_parent();
  return config;
}

void ContainerTest::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_TRUE(sys::chmod(paths_.root, 0711));
  make_busybox_rootfs(paths_.rootfs());
  network::BridgeSpec bridge;
  bridge.name = kBridge;
  bridge.address = Cidr::parse(kGateway).value();
  auto made = network::ensure_bridge(bridge);
  ASSERT_TRUE(made) << made.error().message();
  images_ = ImageStore::open({paths_.images(), {}}).value();
  for (const auto* name : {"/state", "/run"}) ASSERT_TRUE(sys::mkdir_all(paths_.root + name, 0711));
  driver_ = make_container_driver(jail_config(paths_), *images_);
}

void ContainerTest::TearDown() {
  if (!driver_) return;
  // A test that failed half-way must not leave its containers to the next one.
  for (const auto& id : names_in(paths_.root + "/state")) {
    auto destroyed = driver_->destroy(paths_.place(id));
    EXPECT_TRUE(destroyed) << destroyed.error().message();
  }
  for (const auto& thing : residue()) ADD_FAILURE() << "left behind: " << thing;
  // The empty parent of the containers' groups is the daemon's, not the driver's.
  for (const auto& group : parent_groups(paths_)) ::rmdir(group.c_str());
}

Launch ContainerTest::shell(const std::string& script, const std::string& id) const {
  Launch launch;
  launch.place = paths_.place(id);
  launch.spec.name = launch.place.name;
  launch.spec.rootfs_path = paths_.rootfs();
  launch.spec.kind = Kind::kDisposable;
  launch.spec.command = {"/bin/sh", "-c", script};
  return launch;
}

NetworkAttachment ContainerTest::attachment(const std::string& ip) const {
  NetworkAttachment out;
  out.bridge = kBridge;
  out.ip = ip;
  out.prefix = 24;
  out.gateway = "10.199.7.1";
  out.mac = MacAddress::for_address(Ipv4::parse(ip).value()).text();
  out.dns = {"192.0.2.53"};
  return out;
}

Started ContainerTest::start(const Launch& launch) {
  auto started = driver_->start(launch);
  // Nothing that follows in a test would make sense; the framework turns it into a failure.
  if (!started) throw std::runtime_error(started.error().message());
  return std::move(*started);
}

Observation ContainerTest::observe(const Launch& launch) {
  auto observed = driver_->observe(launch.place);
  EXPECT_TRUE(observed) << observed.error().message();
  return observed.value_or(Observation{});
}

Observation ContainerTest::await_exit(const Launch& launch) {
  if (const auto watched = driver_->watch(launch.place)) {
    pollfd poll_fd{watched->get(), POLLIN, 0};
    EXPECT_EQ(::poll(&poll_fd, 1, static_cast<int>(kDeadline / std::chrono::milliseconds(1))), 1) << "it does not end";
  }
  const auto observed = observe(launch);
  EXPECT_EQ(observed.phase, Phase::kExited) << observed.reason;
  return observed;
}

std::string ContainerTest::run_to_end(const Launch& launch, int expected_code) {
  start(launch);
  const auto observed = await_exit(launch);
  const std::string log = read_log(launch);
  EXPECT_EQ(observed.exit_code.value_or(-1), expected_code) << observed.reason << "\n" << log;
  collect(launch);
  return log;
}

std::string ContainerTest::read_log(const Launch& launch) {
  auto reader = LogReader::open(launch.place.log_path()).value();
  std::string text;
  while (true) {
    const auto records = reader.read().value();
    if (records.empty()) return text;
    for (const auto& record : records) text += record.text + (record.tag == LogTag::kFull ? "\n" : "");
  }
}

std::string ContainerTest::await_log(const Launch& launch, const std::string& needle) {
  const SystemClock clock;
  const MonoTime deadline = clock.monotonic() + kDeadline;
  auto watch = DirectoryWatch::create(launch.place.state_dir).value();
  while (clock.monotonic() < deadline) {
    EXPECT_TRUE(watch.clear());
    const std::string text = read_log(launch);
    if (text.find(needle) != std::string::npos) return text;
    static_cast<void>(watch.wait(deadline - clock.monotonic()));
  }
  ADD_FAILURE() << "the log never says \"" << needle << "\" but: " << read_log(launch);
  return {};
}

ExecOutcome converse(const Conversation& conversation, const std::string& input) {
  const timeval limit{std::chrono::duration_cast<std::chrono::seconds>(kDeadline).count(), 0};
  ::setsockopt(conversation.socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const int fd = conversation.socket.get();
  // A command that reads nothing may have ended already.
  static_cast<void>(write_frame(fd, FrameKind::kStdin, conversation.session, input));
  static_cast<void>(write_frame(fd, FrameKind::kStdinEof, conversation.session, ""));
  ExecOutcome outcome;
  FrameParser parser;
  while (true) {
    const auto frame = read_frame(fd, parser);
    if (!frame || !*frame) {
      ADD_FAILURE() << "the conversation broke off: " << (frame ? "end of file" : frame.error().message());
      return outcome;
    }
    if ((*frame)->kind == FrameKind::kStdout) outcome.out += (*frame)->payload;
    if ((*frame)->kind == FrameKind::kStderr) outcome.err += (*frame)->payload;
    if ((*frame)->kind != FrameKind::kExit) continue;
    outcome.code = static_cast<int>(decode_u32((*frame)->payload).value_or(9999));
    return outcome;
  }
}

ExecOutcome ContainerTest::exec(const Launch& launch, const ExecSpec& spec, const std::string& input) {
  const auto conversation = driver_->exec(launch.place, spec);
  EXPECT_TRUE(conversation) << conversation.error().message();
  return conversation ? converse(*conversation, input) : ExecOutcome{};
}

ExecOutcome ContainerTest::exec_shell(const Launch& launch, const std::string& script) {
  ExecSpec spec;
  spec.argv = {"/bin/sh", "-c", script};
  return exec(launch, spec);
}

void ContainerTest::collect(const Launch& launch) {
  const auto collected = driver_->collect(launch.place, launch.spec.kind);
  EXPECT_TRUE(collected) << collected.error().message();
  EXPECT_EQ(observe(launch).phase, Phase::kAbsent);
}

namespace {

// Virtual network devices that stay: the kernel needs a moment to take those of an ended namespace away.
std::vector<std::string> devices() {
  auto netlink = network::Netlink::open().value();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  std::vector<std::string> names;
  do {
    names.clear();
    const auto links = network::list_links(netlink).value();
    for (const auto& link : links) {
      if (link.kind == "veth" || link.kind == "tun") names.push_back(link.name);
    }
  } while (!names.empty() && std::chrono::steady_clock::now() < deadline);
  return names;
}

}  // namespace

std::vector<std::string> ContainerTest::residue() const {
  std::vector<std::string> found;
  const std::string mounts = read_file("/proc/self/mountinfo").value();
  for (const auto line : split(mounts, '\n')) {
    if (line.find(paths_.root) != std::string_view::npos) found.push_back(cat("mount ", line));
  }
  for (const auto& pid : names_in("/proc")) {
    const std::string command = arguments_of(pid);
    if (pid[0] < '0' || pid[0] > '9' || pid == cat(::getpid())) continue;
    if (command.find(paths_.root) != std::string::npos)
      found.push_back(cat("process ", pid, " ", command.substr(0, 80)));
  }
  for (const auto& group : parent_groups(paths_)) {
    for (const auto& name : names_in(group)) {
      if (sys::exists(cat(group, "/", name, "/cgroup.procs"))) found.push_back(cat("cgroup ", group, "/", name));
    }
  }
  for (const auto& name : devices()) found.push_back(cat("device ", name));
  for (const auto& name : names_in(paths_.runtime_root())) found.push_back(cat("runtime state ", name));
  for (const auto& name : names_in(paths_.root + "/run")) found.push_back(cat("run directory ", name));
  return found;
}

}  // namespace skerry::testing
