#include "drivers/container/container_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "base/file_io.h"
#include "base/text.h"
#include "wire/oci_spec_defaults.h"

namespace skerry {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

Launch nginx() {
  Launch launch;
  launch.place = {"00000000000000aa", "web", "/var/lib/skerry/environments/00000000000000aa",
                  "/run/skerry/environments/00000000000000aa"};
  launch.spec.name = "web";
  launch.spec.image = "nginx";
  auto& config = launch.image.emplace().config;
  config.entrypoint = {"/docker-entrypoint.sh"};
  config.cmd = {"nginx", "-g", "daemon off;"};
  config.env = {"PATH=/usr/sbin:/usr/bin", "NGINX_VERSION=1.22"};
  config.stop_signal = "SIGQUIT";
  return launch;
}

ContainerInputs inputs() {
  ContainerInputs out;
  out.rootfs = "/run/skerry/environments/00000000000000aa/rootfs";
  out.network_namespace = "/run/skerry/environments/00000000000000aa/netns";
  out.etc_dir = "/var/lib/skerry/environments/00000000000000aa/etc";
  out.account.home = "/root";
  out.limit_swap = true;
  return out;
}

oci::Spec make(const Launch& launch, const ContainerInputs& in = inputs()) {
  auto spec = make_container_spec(launch, in);
  EXPECT_TRUE(spec) << spec.error().message();
  return spec.value_or(oci::Spec{});
}

const oci::Mount* mount_on(const oci::Spec& spec, std::string_view target) {
  const auto found = std::ranges::find(spec.mounts, target, &oci::Mount::destination);
  return found == spec.mounts.end() ? nullptr : &*found;
}

TEST(ContainerSpec, NothingInsideGainsPrivilegesUnlessAsked) {
  Launch launch = nginx();
  EXPECT_TRUE(make(launch).process->no_new_privileges);
  const auto process = make_exec_process(make(launch), {}, std::nullopt);
  EXPECT_TRUE(process.no_new_privileges);
  launch.spec.security.allow_new_privileges = true;
  EXPECT_FALSE(make(launch).process->no_new_privileges);
}

TEST(ContainerSpec, AnImagesVolumeDoesNotReplaceTheRuntimesFileSystems) {
  Launch launch = nginx();
  launch.spec.security.read_only_root = true;
  launch.image->config.volumes = {"/proc",         "/proc/sys", "/sys/", "//dev",   "/x/../dev/shm",
                                  "sys/fs/cgroup", "/",         "/data", "/process"};
  const auto spec = make(launch);
  EXPECT_EQ(mount_on(spec, "/proc")->type, "proc");
  EXPECT_EQ(mount_on(spec, "/sys")->type, "sysfs");
  EXPECT_EQ(mount_on(spec, "/dev/shm")->source, "shm");
  for (const char* path : {"/proc/sys", "/sys/", "//dev", "/x/../dev/shm", "sys/fs/cgroup", "/"}) {
    EXPECT_EQ(mount_on(spec, path), nullptr) << path;
  }
  for (const char* path : {"/data", "/process"}) {
    ASSERT_NE(mount_on(spec, path), nullptr) << path;
    EXPECT_EQ(mount_on(spec, path)->type, "tmpfs") << path;
  }
}

// The whole document, compared with the file. SKERRY_UPDATE_GOLDEN=1 writes the file: look at what changed.
// The seccomp filter is left out: it is wire/'s, long, and has its own tests.
void expect_golden(oci::Spec spec, const std::string& name) {
  const std::string path = cat(SKERRY_TESTDATA, "/", name);
  spec.linux_part.seccomp.reset();
  const std::string json = oci::to_json(spec) + "\n";
  if (std::getenv("SKERRY_UPDATE_GOLDEN") != nullptr) write_file_atomic(path, json, 0644).value();
  EXPECT_EQ(read_file(path).value_or("missing"), json) << path;
}

TEST(ContainerSpec, AnImageAsItIs) { expect_golden(make(nginx()), "image.json"); }

TEST(ContainerSpec, EverythingAskedFor) {
  auto launch = nginx();
  auto& spec = launch.spec;
  spec.hostname = "web.example";
  spec.command = {"nginx", "-t"};
  spec.env = {{"PATH", "/bin"}, {"MODE", "test"}};
  spec.workdir = "/srv";
  spec.terminal = true;
  spec.resources = {.cpu_milli = 1500, .memory_mib = 256, .pids = 64};
  spec.security.read_only_root = true;
  spec.security.cap_drop = {"ALL"};
  spec.security.cap_add = {"net_bind_service", "CAP_SYS_TIME"};
  spec.security.user_namespace = true;
  spec.mounts = {{"/srv/data", "/data", true}, {"/srv/hosts", "/etc/hosts", false}};
  spec.tmpfs = {{"/tmp", 32}};
  launch.image->config.volumes = {"/var/cache/nginx"};
  auto in = inputs();
  in.ids = IdRange{1'879'048'192, 65'536};
  in.account = {101, 102, {5, 7}, "/nonexistent"};
  expect_golden(make(launch, in), "everything.json");
}

TEST(ContainerSpec, WhatItWritesItReads) {
  const auto spec = make(nginx());
  const auto back = oci::parse_spec(oci::to_json(spec));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(oci::to_json(*back), oci::to_json(spec));
}

TEST(ContainerSpec, TemplatesAreReadOnly) {
  auto launch = nginx();
  launch.spec.kind = Kind::kTemplate;
  EXPECT_TRUE(make(launch).root.readonly);
  launch.spec.kind = Kind::kDisposable;
  EXPECT_FALSE(make(launch).root.readonly);
}

TEST(ContainerSpec, SeccompIsTheDefaultTheFilesOrNone) {
  auto launch = nginx();
  EXPECT_TRUE(make(launch).linux_part.seccomp);
  auto in = inputs();
  in.seccomp_profile.emplace().default_action = "SCMP_ACT_LOG";
  launch.spec.security.seccomp_profile = "/etc/profile.json";
  EXPECT_EQ(make(launch, in).linux_part.seccomp->default_action, "SCMP_ACT_LOG");
  launch.spec.security.seccomp_profile = "unconfined";
  EXPECT_FALSE(make(launch).linux_part.seccomp);
}

TEST(ContainerSpec, CapabilitiesOfRoot) {
  auto launch = nginx();
  launch.spec.security.cap_drop = {"chown"};
  launch.spec.security.cap_add = {"CAP_SYS_PTRACE"};
  const auto sets = *make(launch).process->capabilities;
  EXPECT_THAT(sets.effective, Contains("CAP_SYS_PTRACE"));
  EXPECT_THAT(sets.effective, Not(Contains("CAP_CHOWN")));
  EXPECT_EQ(sets.effective, sets.bounding);
  EXPECT_EQ(sets.permitted, sets.bounding);
  // CVE-2022-29162
  EXPECT_THAT(sets.inheritable, IsEmpty());
  EXPECT_THAT(sets.ambient, IsEmpty());
}

TEST(ContainerSpec, AnOrdinaryUserHoldsOnlyWhatWasAskedFor) {
  auto launch = nginx();
  auto in = inputs();
  in.account.uid = 33;
  EXPECT_THAT(make(launch, in).process->capabilities->effective, IsEmpty());
  EXPECT_THAT(make(launch, in).process->capabilities->bounding, Contains("CAP_CHOWN"));
  launch.spec.security.cap_add = {"NET_RAW"};
  EXPECT_THAT(make(launch, in).process->capabilities->ambient, ElementsAre("CAP_NET_RAW"));
}

TEST(ContainerSpec, RefusesWrongCapabilities) {
  for (const auto* name : {"", "all", "CAP_NET ADMIN", "../x", "CAP_\n"}) {
    auto launch = nginx();
    launch.spec.security.cap_add = {name};
    const auto spec = make_container_spec(launch, inputs());
    ASSERT_FALSE(spec) << name;
    EXPECT_EQ(spec.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(spec.error().step.find("security.cap_add"), std::string::npos) << spec.error().step;
  }
}

TEST(ContainerSpec, TheUsersMountsReplaceOurs) {
  auto launch = nginx();
  launch.spec.tmpfs = {{"/dev/shm", 256}};
  launch.spec.mounts = {{"/srv/resolv.conf", "/etc/resolv.conf", true}};
  const auto spec = make(launch);
  EXPECT_EQ(std::ranges::count(spec.mounts, "/dev/shm", &oci::Mount::destination), 1);
  EXPECT_THAT(mount_on(spec, "/dev/shm")->options, Contains("size=256m"));
  EXPECT_EQ(mount_on(spec, "/etc/resolv.conf")->source, "/srv/resolv.conf");
  EXPECT_THAT(mount_on(spec, "/etc/resolv.conf")->options, Contains("rro"));
}

TEST(ContainerSpec, NothingToRun) {
  auto launch = nginx();
  launch.image->config = {};
  EXPECT_EQ(make_container_spec(launch, inputs()).error().code, ErrorCode::kInvalidArgument);
}

// ── exec ──

ExecSpec command(std::vector<std::string> argv, std::string user = {}) {
  ExecSpec spec;
  spec.argv = std::move(argv);
  spec.user = std::move(user);
  return spec;
}

TEST(ExecProcess, IsTheMainProcessButForWhatIsAsked) {
  const auto config = make(nginx());
  const auto process = make_exec_process(config, command({"ls"}), std::nullopt);
  EXPECT_THAT(process.args, ElementsAre("ls"));
  EXPECT_EQ(process.env, config.process->env);
  EXPECT_EQ(process.cwd, config.process->cwd);
  EXPECT_FALSE(process.terminal);
  EXPECT_EQ(process.capabilities->effective, config.process->capabilities->effective);
}

TEST(ExecProcess, TakesEnvironmentDirectoryAndTerminal) {
  ExecSpec spec;
  spec.argv = {"sh"};
  spec.env = {{"NGINX_VERSION", "2"}, {"NEW", "1"}};
  spec.workdir = "/tmp";
  spec.terminal = true;
  spec.size = {.columns = 100, .rows = 30};
  const auto process = make_exec_process(make(nginx()), spec, std::nullopt);
  EXPECT_EQ(process.console_size->height, 30U);
  EXPECT_EQ(process.console_size->width, 100U);
  EXPECT_THAT(process.env, Contains("NGINX_VERSION=2"));
  EXPECT_THAT(process.env, Not(Contains("NGINX_VERSION=1.22")));
  EXPECT_THAT(process.env, Contains("NEW=1"));
  EXPECT_THAT(process.env, Contains("TERM=xterm"));
  EXPECT_EQ(process.cwd, "/tmp");
  EXPECT_TRUE(process.terminal);
}

TEST(ExecProcess, AnotherUserHasItsOwnHomeAndNoCapabilities) {
  const auto process = make_exec_process(make(nginx()), command({"id"}, "app"), Account{1000, 1001, {44}, "/home/app"});
  EXPECT_EQ(process.user.uid, 1000U);
  EXPECT_EQ(process.user.gid, 1001U);
  EXPECT_THAT(process.user.additional_gids, ElementsAre(44));
  EXPECT_THAT(process.env, Contains("HOME=/home/app"));
  EXPECT_THAT(process.env, Not(Contains("HOME=/root")));
  EXPECT_THAT(process.capabilities->effective, IsEmpty());
}

TEST(ExecProcess, RootInAContainerOfAnOrdinaryUserHoldsTheBoundingSet) {
  auto in = inputs();
  in.account.uid = 33;
  const auto config = make(nginx(), in);
  const auto process = make_exec_process(config, command({"id"}, "root"), Account{0, 0, {}, "/root"});
  EXPECT_EQ(process.capabilities->effective, config.process->capabilities->bounding);
  EXPECT_THAT(process.capabilities->ambient, IsEmpty());
}

}  // namespace
}  // namespace skerry
