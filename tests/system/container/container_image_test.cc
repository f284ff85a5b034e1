// Containers of a real OCI image with several layers, made by umoci and loaded by the image store.
#include <gmock/gmock.h>

#include "base/process.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "container_fixture.h"

namespace skerry::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ContainerImage : public ContainerTest {
 protected:
  void SetUp() override {
    ContainerTest::SetUp();
    if (!driver_) return;
    const std::string script =
        cat("set -e; cd ", paths_.root,
            "; tar -C rootfs -cf base.tar .; mkdir -p second/root second/etc; echo two > second/root/file; "
            "touch second/etc/.wh.group; tar -C second -cf second.tar .; "
            "umoci init --layout layout; umoci new --image layout:box; "
            "umoci raw add-layer --image layout:box base.tar; umoci raw add-layer --image layout:box second.tar; "
            "umoci config --image layout:box --config.entrypoint /bin/sh --config.cmd -c --config.cmd 'cat /root/file' "
            "--config.env FROM_IMAGE=yes --config.workingdir /work/here --config.user app --config.stopsignal SIGUSR1; "
            "tar -C layout -cf image.tar .");
    SpawnSpec spec;
    spec.argv = {"/bin/sh", "-c", script};
    const auto output = run_command(spec, kDeadline).value();
    ASSERT_TRUE(output.status.success()) << output.err;
    auto loaded = images_->load(paths_.root + "/image.tar", "localhost/box:1", {});
    ASSERT_TRUE(loaded) << loaded.error().message();
    image_ = std::move(*loaded);
    ASSERT_EQ(image_.layers.size(), 2U);
  }
  [[nodiscard]] Launch of_image(Kind kind, std::vector<std::string> command = {}) const {
    auto launch = shell("");
    launch.spec.rootfs_path.clear();
    launch.spec.image = image_.name;
    launch.spec.kind = kind;
    launch.spec.command = std::move(command);
    launch.image = image_;
    return launch;
  }
  Image image_;
};

TEST_F(ContainerImage, RunsWhatTheImageSays) { EXPECT_EQ(run_to_end(of_image(Kind::kApp)), "two\n"); }

TEST_F(ContainerImage, AsTheImageSays) {
  const auto out =
      run_to_end(of_image(Kind::kApp, {"-c", "id -u; pwd; echo $FROM_IMAGE; test -e /etc/group || echo whiteout"}));
  EXPECT_EQ(out, "1000\n/work/here\nyes\nwhiteout\n");
}

TEST_F(ContainerImage, StopsByItsOwnSignal) {
  const auto launch = of_image(
      Kind::kApp, {"-c", "trap 'exit 11' USR1; trap 'exit 12' TERM; echo up; while true; do sleep 0.05; done"});
  start(launch);
  await_log(launch, "up");
  ASSERT_TRUE(driver_->stop(launch.place, {20'000}));
  EXPECT_EQ(await_exit(launch).exit_code, 11);
}

TEST_F(ContainerImage, AppsKeepWhatTheyWroteDisposablesAndTheImageDoNot) {
  const std::vector<std::string> count{"-c", "echo run >> /tmp/runs; wc -l < /tmp/runs"};
  EXPECT_EQ(run_to_end(of_image(Kind::kApp, count)), "1\n");
  EXPECT_THAT(run_to_end(of_image(Kind::kApp, count)), HasSubstr("2\n"));
  ASSERT_TRUE(driver_->destroy(of_image(Kind::kApp).place));
  for (int i = 0; i < 2; ++i) EXPECT_THAT(run_to_end(of_image(Kind::kDisposable, count)), Not(HasSubstr("2\n")));
}

TEST_F(ContainerImage, InAUserNamespaceTheFilesAreItsOwn) {
  auto launch = of_image(Kind::kApp, {"-c", "stat -c %u /bin/busybox; touch /root/mine; stat -c %u /root/mine"});
  launch.spec.user = "0";
  launch.spec.security.user_namespace = true;
  EXPECT_EQ(run_to_end(launch), "0\n0\n");
  // On disk as well: the same layer works without the namespace.
  EXPECT_EQ(sys::stat(launch.place.state_dir + "/layer/upper/root/mine").value().st_uid, 0U);
}

TEST_F(ContainerImage, TwoShareTheLayersAndNothingElse) {
  auto first = of_image(Kind::kApp, {"-c", "echo 1 > /tmp/mine; echo up; exec sleep 1000"});
  auto second = first;
  second.place = paths_.place("00000000000000a2");
  second.spec.name = second.place.name;
  second.spec.command[1] = "test -e /tmp/mine && echo leaked; echo up; exec sleep 1000";
  start(first);
  await_log(first, "up");
  start(second);
  EXPECT_THAT(await_log(second, "up"), Not(HasSubstr("leaked")));
}

}  // namespace
}  // namespace skerry::testing
