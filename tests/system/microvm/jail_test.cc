// What a VMM that was taken over cannot do: a hostile program in QEMU's own jail. Once beside a real QEMU, with all
// that holds it; and once in QEMU's place without the system call filter, so that the other walls are tested alone.
#include "drivers/jail.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <sstream>

#include "base/unix_socket.h"
#include "drivers/qemu/vmm_jail.h"
#include "microvm_host.h"

namespace skerry {
namespace {

using testing::AnyOf;

class JailTest : public MicrovmTest {
 protected:
  void SetUp() override {
    MicrovmTest::SetUp();
    if (IsSkipped()) return;
    victim_ = &launch_of("victim", {"sleep", "1000"});
    const auto started = driver_->start(*victim_);
    ASSERT_OK(started);
    victim_pid_ = started->pid;
    abstract_ = cat("@skerry-jail-test-", ::getpid());
    listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    abstract_.copy(static_cast<char*>(address.sun_path), sizeof address.sun_path - 1);
    address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + abstract_.size());
    ASSERT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener_.get(), 4), 0);
  }

  [[nodiscard]] std::vector<std::string> probe_arguments() const {
    return {"/probe", victim_->place.state_dir + "/overlay.img",
            KeeperPaths{victim_->place.run_dir}.channel_socket("agent"), abstract_, cat(victim_pid_)};
  }
  [[nodiscard]] JailConfig jail_config() const {
    JailConfig config;
    config.runtime = runtime_program();
    config.keeper = bin("skerry-keeper");
    config.runtime_root = *temp_ / "oci";
    config.cgroup_parent = cat("/skerry-test-", ::getpid());
    return config;
  }

  static std::map<std::string, std::string> results(const std::string& text) {
    std::map<std::string, std::string> out;
    std::istringstream lines(text);
    for (std::string name, result; lines >> name >> result;) out[name] = result;
    EXPECT_NE(text.find("end\n"), std::string::npos) << "it did not get to its end:\n" << text;
    return out;
  }

  Launch* victim_ = nullptr;
  std::int64_t victim_pid_ = 0;
  std::string abstract_;
  Fd listener_;
};

TEST_F(JailTest, ATakenOverVmmReachesNothing) {
  auto& launch = launch_of("attacker", {"sleep", "1000"});
  ASSERT_OK(driver_->start(launch));
  run({"cp", bin("skerry-jail-probe"), launch.place.run_dir + "/vmm/probe"});
  Jail jail(jail_config());
  const auto config = jail.read_config(launch.place);
  ASSERT_OK(config);
  oci::Process process = *config->process;
  process.args = probe_arguments();
  auto conversation = jail.exec(launch.place, process, {});
  ASSERT_OK(conversation);
  const auto outcome = converse(*conversation);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const auto& [name, result] : results(outcome.out)) {
    if (name == "processes") {
      EXPECT_EQ(result, "0");
    } else {
      EXPECT_NE(result, "done") << name;
    }
  }
  // The filter answers these, before any other wall has to.
  auto seen = results(outcome.out);
  for (const char* name : {"signal",  "ptrace", "read-memory", "internet",       "packet",   "netlink", "vsock",
                           "mknod",   "setuid", "mount",       "user-namespace", "chroot",   "bpf",     "perf",
                           "keyring", "module", "kexec",       "userfaultfd",    "io_uring", "reboot"}) {
    EXPECT_EQ(seen[name], "EPERM") << name;
  }
  EXPECT_EQ(exec(*victim_, {"true"}).code, 0);
}

TEST_F(JailTest, TheOtherWallsHoldWithoutTheFilter) {
  auto& launch = launch_of("unfiltered", {});
  ASSERT_OK(sys::mkdir_all(launch.place.state_dir, 0700));
  const std::string rootfs = launch.place.run_dir + "/vmm";
  for (const char* dir : {"/usr", "/proc", "/dev", "/vm"}) ASSERT_OK(sys::mkdir_all(rootfs + dir, 0755));
  for (const char* file : {qemu::kJailKernel, qemu::kJailInitramfs}) {
    ASSERT_OK(write_file_atomic(rootfs + file, "", 0644));
  }
  run({"cp", bin("skerry-jail-probe"), rootfs + "/probe"});
  ASSERT_OK(write_file_atomic(*temp_ / "artifact", "kernel", 0644));
  qemu::VmmJailInputs inputs;
  inputs.rootfs = rootfs;
  inputs.kernel = *temp_ / "artifact";
  inputs.initramfs = *temp_ / "artifact";
  inputs.uid = qemu::vmm_uid(launch.place.id);
  inputs.memory_mib = 64;
  inputs.argv = probe_arguments();
  JailSpec spec;
  spec.config = qemu::vmm_jail(inputs);
  spec.config.linux_part.seccomp.reset();
  Jail jail(jail_config());
  ASSERT_OK(jail.create(launch.place, spec));
  auto conversation = jail.attach(launch.place);
  ASSERT_OK(conversation);
  ASSERT_OK(jail.start(launch.place));
  const auto outcome = converse(*conversation);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  auto seen = results(outcome.out);
  EXPECT_EQ(seen["processes"], "1") << "itself";
  for (const char* name : {"open-disk", "connect-socket", "leave-by-cwd"}) EXPECT_EQ(seen[name], "ENOENT") << name;
  for (const char* name : {"signal", "ptrace", "read-memory"}) EXPECT_EQ(seen[name], "ESRCH") << name;
  EXPECT_EQ(seen["connect-abstract"], "ECONNREFUSED");
  EXPECT_EQ(seen["internet"], "ENETUNREACH");
  for (const char* name : {"write-root", "write-usr", "write-kernel", "write-proc"}) {
    EXPECT_THAT(seen[name], AnyOf("EROFS", "EACCES", "EPERM")) << name;
  }
  EXPECT_EQ(seen["write-dev"], "EACCES");
  for (const char* name : {"packet", "mknod", "setuid", "mount", "chroot", "module", "kexec", "reboot"}) {
    EXPECT_THAT(seen[name], AnyOf("EPERM", "EACCES", "ENOSYS")) << name;
  }
  static_cast<void>(jail.remove(launch.place));
}

}  // namespace
}  // namespace skerry
