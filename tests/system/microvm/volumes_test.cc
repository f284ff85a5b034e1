// Directories and files of the host in a guest, and what a guest cannot reach through them.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/jail.h"
#include "drivers/qemu/shares.h"
#include "microvm_host.h"

namespace skerry {
namespace {

using testing::HasSubstr;

class VolumesTest : public MicrovmTest {
 protected:
  // Also where a fork would be possible, a guest with volumes has to boot.
  [[nodiscard]] std::size_t most_templates() const override { return 1; }

  void SetUp() override {
    MicrovmTest::SetUp();
    if (IsSkipped()) return;
    for (const char* name : {"rw/sub", "ro", "secret"}) ASSERT_OK(sys::mkdir_all(cat(temp_->path(), "/", name), 0755));
    ASSERT_OK(write_file_atomic(*temp_ / "rw/from-host", "host\n", 0644));
    ASSERT_OK(write_file_atomic(*temp_ / "ro/from-host", "only to read\n", 0644));
    ASSERT_OK(write_file_atomic(*temp_ / "one.conf", "one file\n", 0644));
    ASSERT_OK(write_file_atomic(*temp_ / "secret/key", "of the host\n", 0644));
    // What the host's user put there leads where it says on the host, and nowhere in the guest.
    ASSERT_OK(sys::symlink(*temp_ / "secret", *temp_ / "rw/absolute"));
    ASSERT_OK(sys::symlink("../secret", *temp_ / "rw/relative"));
  }

  Launch& with_volumes(const std::string& name) {
    auto& launch = launch_of(name, {"sleep", "1000"});
    launch.spec.mounts = {{*temp_ / "rw", "/data", false},
                          {*temp_ / "ro", "/fixed", true},
                          {*temp_ / "one.conf", "/etc/app/one.conf", true}};
    return launch;
  }
  [[nodiscard]] std::string host(const std::string& name) const { return read_file(*temp_ / name).value_or("(none)"); }
  Outcome shell(const Launch& launch, const std::string& script) { return exec(launch, {"sh", "-c", script}); }
};

TEST_F(VolumesTest, AGuestSeesWhatItWasGivenAndNothingElse) {
  const auto& launch = with_volumes("volumes");
  ASSERT_OK(driver_->start(launch));

  EXPECT_EQ(shell(launch, "cat /data/from-host /fixed/from-host /etc/app/one.conf").out,
            "host\nonly to read\none file\n");
  EXPECT_EQ(shell(launch, "echo guest > /data/sub/from-guest; mkdir /data/made").code, 0);
  EXPECT_EQ(host("rw/sub/from-guest"), "guest\n");
  EXPECT_TRUE(sys::exists(*temp_ / "rw/made"));
  ASSERT_OK(write_file_atomic(*temp_ / "rw/later", "later\n", 0644));
  EXPECT_EQ(shell(launch, "cat /data/later").out, "later\n");

  // The host enforces it: the guest's root takes its own kernel's word back and still cannot write.
  for (const char* script : {"echo x > /fixed/new", "echo x > /fixed/from-host", "echo x > /etc/app/one.conf",
                             "busybox rm /fixed/from-host", "busybox chmod 777 /fixed"}) {
    EXPECT_NE(shell(launch, script).code, 0) << script;
    EXPECT_NE(shell(launch, cat("busybox mount -o remount,rw,bind /fixed; busybox mount -o remount,rw,bind "
                                "/etc/app/one.conf; ",
                                script))
                  .code,
              0)
        << script;
  }
  EXPECT_EQ(host("ro/from-host"), "only to read\n");
  EXPECT_EQ(host("one.conf"), "one file\n");

  // Symbolic links lead into the guest's own tree, whoever made them.
  EXPECT_EQ(shell(launch, "busybox ln -s / /data/root; cat /data/root/etc/hostname").out, "volumes\n");
  EXPECT_EQ(shell(launch, "busybox ln -s ../../../../../../../../ /data/up; cat /data/up/etc/hostname").out,
            "volumes\n");
  EXPECT_EQ(shell(launch, "cat /data/absolute/key || cat /data/relative/key").code, 1);
  EXPECT_EQ(shell(launch, cat("cat ", *temp_ / "secret/key")).code, 1);
  // Nor has the file system itself more to show, mounted by hand.
  EXPECT_EQ(
      shell(launch, cat("busybox mkdir /all; busybox mount -t virtiofs skerry /all && cat /all/../secret/key /all",
                        *temp_ / "secret/key"))
          .out,
      "");
  // No device files: they would be the host's.
  EXPECT_NE(shell(launch, "busybox mknod /data/disk b 8 0").code, 0);

  const auto save = driver_->save(launch.place, *temp_ / "saved");
  EXPECT_EQ(save.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(driver_->suspend(launch.place).error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(driver_->suspend(launch.place).error().message(), HasSubstr("directories of the host"));
  EXPECT_EQ(exec(launch, {"true"}).code, 0) << "refused, and it runs on";
}

TEST_F(VolumesTest, TheServerIsShutInAndGoesWithTheGuest) {
  const auto& launch = with_volumes("server");
  ASSERT_OK(driver_->start(launch));
  JailConfig config;
  config.runtime = runtime_program();
  config.keeper = bin("skerry-keeper");
  config.runtime_root = *temp_ / "oci";
  Jail jail(config);
  const auto server = jail.observe(qemu::shares_place(launch.place));
  ASSERT_OK(server);
  ASSERT_EQ(server->phase, Phase::kRunning) << server->reason;
  const auto root = cat("/proc/", server->pid, "/root");
  EXPECT_TRUE(sys::exists(root + "/0/from-host"));
  EXPECT_FALSE(sys::exists(cat(root, temp_->path())));
  EXPECT_FALSE(sys::exists(root + "/usr"));
  const auto status = read_file(cat("/proc/", server->pid, "/status")).value();
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2"));
  EXPECT_THAT(status, testing::Not(HasSubstr("CapBnd:\t000001ffffffffff")));

  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kRunning);
  ASSERT_EQ(::kill(static_cast<pid_t>(server->pid), SIGKILL), 0);
  EXPECT_TRUE(jail.await_end(qemu::shares_place(launch.place), std::chrono::seconds(60)).value_or(false));
  const auto end = await_end(launch);
  EXPECT_EQ(end.phase, Phase::kExited) << "the guest cannot go on without it";
  EXPECT_EQ(end.reason, "the server of the host's directories ended");
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);

  ASSERT_OK(driver_->start(launch));
  ASSERT_OK(driver_->stop(launch.place, {0}));
  EXPECT_TRUE(jail.await_end(qemu::shares_place(launch.place), std::chrono::seconds(60)).value_or(false));
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
  EXPECT_FALSE(sys::exists(launch.place.run_dir));
  EXPECT_EQ(jail.observe(qemu::shares_place(launch.place))->phase, Phase::kAbsent);
}

TEST_F(VolumesTest, ADirectoryOfTheHostCanBeTheRoot) {
  auto& launch = launch_of("directory", {"sleep", "1000"});
  launch.image.reset();
  launch.spec.rootfs_path = *temp_ / "rootfs";
  ASSERT_OK(driver_->start(launch));
  EXPECT_EQ(shell(launch, "echo here > /srv/made; cat /srv/index.html").out, "a page of ours\n");
  EXPECT_EQ(host("rootfs/srv/made"), "here\n");
  ASSERT_OK(driver_->stop(launch.place, {1000}));
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));

  launch.spec.security.read_only_root = true;
  launch.spec.mounts = {{*temp_ / "rw", "/not/there/yet", false}};
  ASSERT_OK(driver_->start(launch));
  EXPECT_EQ(shell(launch, "cat /srv/made /not/there/yet/from-host").out, "here\nhost\n");
  EXPECT_NE(shell(launch, "echo x > /srv/more").code, 0);
  shell(launch, "busybox mount -o remount,rw,bind /; echo x > /srv/more");
  EXPECT_FALSE(sys::exists(*temp_ / "rootfs/srv/more"));
  EXPECT_FALSE(sys::exists(*temp_ / "rootfs/not"));
}

TEST_F(VolumesTest, WhatCannotBeSharedIsRefused) {
  auto& launch = with_volumes("refused");
  launch.spec.mounts[0].source = *temp_ / "nothing-here";
  auto refused = driver_->start(launch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(refused.error().message(), HasSubstr("mount /data"));
  launch.spec.mounts[0].source = "/dev/null";
  refused = driver_->start(launch);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported) << refused.error().message();
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
}

// What kill -9 leaves when it comes when the server runs and there is no VMM yet.
TEST_F(VolumesTest, AStartThatWasCutShortBehindTheServerIsCleanedUp) {
  const auto& launch = with_volumes("cut");
  ASSERT_OK(sys::mkdir_all(launch.place.run_dir, 0700));
  Jail jail(jail_);
  qemu::ShareJailInputs inputs;
  inputs.program = QemuConfig{}.share_server;
  inputs.memory_mib = launch.spec.resources.memory_mib;
  inputs.shares.push_back(qemu::share_of(launch.spec.mounts.front()).value());
  ASSERT_OK(qemu::start_shares(jail, launch.place, std::move(inputs)));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kBroken);
  ASSERT_OK(driver_->collect(launch.place, Kind::kApp));
  EXPECT_EQ(driver_->observe(launch.place)->phase, Phase::kAbsent);
  ASSERT_OK(driver_->start(launch));
  EXPECT_EQ(shell(launch, "cat /data/from-host").out, "host\n");
}

}  // namespace
}  // namespace skerry
