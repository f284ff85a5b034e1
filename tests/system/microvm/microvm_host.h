// A private host for microVM tests: network and mount namespace of its own, state in a temporary directory, an image
// made from busybox, and a driver over the real programs.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cri_log.h"
#include "base/file_io.h"
#include "base/process.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "drivers/qemu/qemu_driver.h"
#include "image/store.h"

namespace skerry {

#define ASSERT_OK(expression)                              \
  do {                                                     \
    const auto& assert_ok = (expression);                  \
    ASSERT_TRUE(assert_ok) << assert_ok.error().message(); \
  } while (false)

inline std::string bin(const std::string& name) { return cat(SKERRY_BIN_DIR, "/", name); }

// skerry-oci, or what SKERRY_TEST_RUNTIME names: the driver must work with any OCI runtime.
inline std::string runtime_program() {
  const char* other = std::getenv("SKERRY_TEST_RUNTIME");
  return other != nullptr ? other : bin("skerry-oci");
}

// What is missing for these tests; empty: nothing.
inline std::string missing() {
  if (::geteuid() != 0) return "root";
  for (const std::string& path : {std::string("/usr/bin/qemu-system-x86_64"), std::string("/bin/busybox"),
                                  bin("skerry-keeper"), bin("skerry-agent"), runtime_program()}) {
    if (!sys::exists(path)) return path;
  }
  return {};
}

// How many forks of one guest are compared: SKERRY_TEST_FORKS=200 for the whole of it.
inline int fork_count() {
  const char* asked = std::getenv("SKERRY_TEST_FORKS");
  return asked != nullptr ? std::atoi(asked) : 4;
}

struct Outcome {
  std::string out;
  std::string err;
  int code = -1;
};

// The next frame of any session; nullopt at the end of the stream or when the deadline passes.
inline std::optional<Frame> next_frame(int socket, FrameParser& parser, MonoTime deadline) {
  std::array<char, 65536> buffer{};
  while (true) {
    auto frame = parser.next();
    if (!frame) return std::nullopt;
    if (*frame) return std::move(*frame);
    const auto left_ms = (deadline - SystemClock().monotonic()).count() / 1'000'000;
    pollfd ready{socket, POLLIN, 0};
    if (left_ms <= 0 || ::poll(&ready, 1, static_cast<int>(left_ms)) <= 0) return std::nullopt;
    const auto got = sys::read(socket, buffer.data(), buffer.size());
    if (!got || *got == 0) return std::nullopt;
    parser.feed({buffer.data(), *got});
  }
}

// Sends `input` and collects a conversation until its exit.
inline Outcome converse(const Conversation& conversation, const std::string& input = {},
                        Duration timeout = std::chrono::seconds(20)) {
  Outcome outcome;
  const int socket = conversation.socket.get();
  if (!input.empty()) {
    EXPECT_TRUE(write_frame(socket, FrameKind::kStdin, conversation.session, input));
  }
  // A command that is over by now has closed its end; what it said still waits here.
  static_cast<void>(write_frame(socket, FrameKind::kStdinEof, conversation.session, {}));
  FrameParser parser;
  const MonoTime deadline = SystemClock().monotonic() + timeout;
  while (const auto frame = next_frame(socket, parser, deadline)) {
    if (frame->session != conversation.session) continue;
    if (frame->kind == FrameKind::kStdout) outcome.out += frame->payload;
    if (frame->kind == FrameKind::kStderr) outcome.err += frame->payload;
    if (frame->kind != FrameKind::kExit) continue;
    outcome.code = static_cast<int>(decode_u32(frame->payload).value_or(999));
    return outcome;
  }
  ADD_FAILURE() << "the conversation did not end in time; so far: " << outcome.out.substr(0, 2000)
                << outcome.err.substr(0, 2000);
  return outcome;
}

class MicrovmTest : public testing::Test {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as skerryd does
    if (const auto what = missing(); !what.empty()) GTEST_SKIP() << "needs " << what;
    std::signal(SIGPIPE, SIG_IGN);
    ASSERT_OK(sys::unshare(CLONE_NEWNET | CLONE_NEWNS));
    ASSERT_OK(sys::mount({}, "/", {}, MS_REC | MS_PRIVATE));
    temp_.emplace(TempDir::create("skerry-microvm-").value());
    make_image();
    JailConfig jail;
    jail.runtime = runtime_program();
    jail.keeper = bin("skerry-keeper");
    jail.runtime_root = *temp_ / "oci";
    jail.cgroup_parent = cat("/skerry-test-", ::getpid());
    jail_ = jail;
    QemuConfig config;
    config.agent = bin("skerry-agent");
    // Shared by all tests of a build: what is in it follows from kernel and agent alone.
    config.cache_dir = cat(SKERRY_BIN_DIR, "/../microvm-test-cache");
    cache_dir_ = config.cache_dir;
    config.accel = AccelChoice::kTcg;
    config.most_templates = most_templates();
    change(config);
    driver_ = make_qemu_driver(jail, *images_, config);
  }

  // By default every guest boots.
  [[nodiscard]] virtual std::size_t most_templates() const { return 0; }

  virtual void change(QemuConfig& /*config*/) {}

  void TearDown() override {
    for (const auto& [name, launch] : launches_) {
      if (HasFailure()) show_logs(launch.place);
      EXPECT_TRUE(driver_->destroy(launch.place)) << name;
    }
    images_.reset();
  }

  // A rootfs of busybox and a few files that tests want.
  void make_image() {
    const std::string root = *temp_ / "rootfs";
    for (const char* dir : {"/bin", "/etc", "/srv", "/tmp", "/root"}) ASSERT_OK(sys::mkdir_all(root + dir, 0755));
    run({"cp", "/bin/busybox", root + "/bin/busybox"});
    for (const char* name :
         {"sh",       "cat", "id",    "env",  "sleep", "true", "false", "httpd", "wc", "stty", "uname",
          "hostname", "ps",  "mount", "wget", "ls",    "kill", "dd",    "pwd",   "ip", "sync", "date"}) {
      ASSERT_OK(sys::symlink("busybox", cat(root, "/bin/", name)));
    }
    ASSERT_OK(
        write_file_atomic(root + "/etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/srv:/bin/sh\n", 0644));
    ASSERT_OK(write_file_atomic(root + "/etc/group", "root:x:0:\napp:x:1000:\nvideo:x:44:app\n", 0644));
    ASSERT_OK(write_file_atomic(root + "/srv/index.html", "a page of ours\n", 0644));
    ASSERT_OK(write_file_atomic(root + "/bin/data", "no program\n", 0644));
    run({"tar", "-C", root, "--owner=0", "--group=0", "-cf", *temp_ / "rootfs.tar", "."});
    auto opened = ImageStore::open({*temp_ / "images", {}});
    ASSERT_OK(opened);
    images_ = std::move(*opened);
    ImageConfig image;
    image.cmd = {"sleep", "1000"};
    image.architecture = "amd64";
    image.os = "linux";
    const auto name = ImageReference::parse("localhost/busybox:test").value();
    auto made = images_->import_rootfs(*temp_ / "rootfs.tar", name, image, {});
    ASSERT_OK(made);
    image_ = *made;
  }

  Launch& launch_of(const std::string& name, std::vector<std::string> command) {
    Launch& launch = launches_[name];
    launch.place = {cat(name, "-", ::getpid()), name, *temp_ / ("state-" + name), *temp_ / ("run-" + name)};
    launch.spec.name = name;
    launch.spec.isolation = Isolation::kMicrovm;
    launch.spec.command = std::move(command);
    launch.spec.resources.memory_mib = 128;
    launch.image = image_;
    return launch;
  }

  Outcome exec(const Launch& launch, std::vector<std::string> argv, const std::string& input = {}) {
    ExecSpec spec;
    spec.argv = std::move(argv);
    auto conversation = driver_->exec(launch.place, spec);
    EXPECT_TRUE(conversation) << conversation.error().message();
    return conversation ? converse(*conversation, input) : Outcome{};
  }

  // start() in a process that is killed at its crash point `at` (base/crash_point.h). False: it came to its end before.
  bool start_killed(const Launch& launch, int at) {
    // The image's disk has points of its own, which only the first start comes by.
    if (launch.image) {
      EXPECT_TRUE(images_->base_disk(*launch.image, {}));
    }
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("SKERRY_CRASH_AT", cat(at).c_str(), 1);
      ::_exit(driver_->start(launch) ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0) << "the start failed";
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }

  // Waits for the end of the run and gives what was seen of it.
  Observation await_end(const Launch& launch, Duration timeout = std::chrono::seconds(20)) {
    const auto watch = driver_->watch(launch.place);
    if (watch) {
      EXPECT_TRUE(has_ended(watch->get(), timeout).value_or(false));
    }
    return driver_->observe(launch.place).value_or(Observation{});
  }

  static std::string log_of(const Launch& launch) { return read_file(launch.place.log_path()).value_or(""); }

  // Waits until the log says it.
  static void await_log(const Launch& launch, std::string_view text, Duration timeout = std::chrono::seconds(20)) {
    const SystemClock clock;
    const MonoTime deadline = clock.monotonic() + timeout;
    while (log_of(launch).find(text) == std::string::npos) {
      ASSERT_LT(clock.monotonic(), deadline) << "not in the log: " << text;
      ::poll(nullptr, 0, 5);
    }
  }

  static void run(std::vector<std::string> argv) {
    SpawnSpec spec;
    spec.argv = std::move(argv);
    const auto output = run_command(spec, std::chrono::seconds(60));
    ASSERT_OK(output);
    ASSERT_TRUE(output->status.success()) << output->err;
  }

  static void show_logs(const EnvironmentPlace& place) {
    for (const char* suffix : {"", ".console", ".vmm"}) {
      const auto text = read_file(place.log_path() + suffix).value_or("");
      if (!text.empty()) std::fprintf(stderr, "--- %s log%s\n%s\n", place.name.c_str(), suffix, text.c_str());
    }
  }

  std::optional<TempDir> temp_;
  JailConfig jail_;
  std::string cache_dir_;
  std::unique_ptr<ImageStore> images_;
  Image image_;
  std::unique_ptr<Driver> driver_;
  std::map<std::string, Launch> launches_;
};

}  // namespace skerry
