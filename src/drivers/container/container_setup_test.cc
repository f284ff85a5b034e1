// Real mounts: needs root. They stand below a temporary directory and are taken away whatever happens.
#include "drivers/container/container_setup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "base/file_io.h"
#include "base/sys_file.h"
#include "base/sys_namespace.h"
#include "base/temp_dir.h"
#include "base/text.h"
#include "drivers/container/container_place.h"
#include "drivers/container/id_range.h"
#include "drivers/container/overlay.h"
#include "network/link.h"
#include "network/netns.h"

namespace skerry {
namespace {

class ContainerSetupTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: mounts";
    launch_.place = {"00000000000000aa", "web", dir_ / "state", dir_ / "run"};
    launch_.spec.name = "web";
    launch_.spec.image = "x";
    for (const auto* name : {"state", "run", "lower1", "lower2"}) ASSERT_TRUE(sys::mkdir_all(dir_ / name, 0755));
    ASSERT_TRUE(write_file_atomic(dir_ / "lower1/a", "bottom", 0644));
    ASSERT_TRUE(write_file_atomic(dir_ / "lower1/b", "bottom", 0644));
    ASSERT_TRUE(write_file_atomic(dir_ / "lower2/b", "top", 0644));
  }
  void TearDown() override { static_cast<void>(remove_rootfs(launch_.place)); }

  // Where it is seen, until the next one is made.
  std::string make(const std::optional<IdRange>& ids = std::nullopt) {
    made_ = {};
    auto made = make_rootfs(launch_, {dir_ / "lower1", dir_ / "lower2"}, ids);
    EXPECT_TRUE(made) << made.error().message();
    if (made) made_ = std::move(*made);
    EXPECT_FALSE(anything_mounted()) << "the host's table of mounts has it";
    return made ? made_.seen() : "/nonexistent";
  }
  [[nodiscard]] bool anything_mounted() const {
    return read_file("/proc/self/mountinfo").value().find(dir_.path()) != std::string::npos;
  }

  TempDir dir_ = TempDir::create("container-setup").value();
  Launch launch_;
  RootFs made_;
};

TEST_F(ContainerSetupTest, LayersLieUponEachOther) {
  const auto rootfs = make();
  EXPECT_EQ(read_file(rootfs + "/a").value(), "bottom");
  EXPECT_EQ(read_file(rootfs + "/b").value(), "top");
  ASSERT_TRUE(write_file_atomic(rootfs + "/a", "mine", 0644));
  EXPECT_EQ(read_file(dir_ / "lower1/a").value(), "bottom");
  ASSERT_TRUE(remove_rootfs(launch_.place));
  EXPECT_FALSE(anything_mounted());
  EXPECT_TRUE(remove_rootfs(launch_.place)) << "a second time";
}

TEST_F(ContainerSetupTest, AnAppKeepsWhatItWrote) {
  ASSERT_TRUE(write_file_atomic(make() + "/mine", "x", 0644));
  ASSERT_TRUE(remove_rootfs(launch_.place));
  EXPECT_TRUE(sys::exists(make() + "/mine"));
}

TEST_F(ContainerSetupTest, ADisposableForgetsEvenWhatACrashLeft) {
  launch_.spec.kind = Kind::kDisposable;
  ASSERT_TRUE(write_file_atomic(make() + "/mine", "x", 0644));
  ASSERT_TRUE(remove_rootfs(launch_.place));
  EXPECT_FALSE(sys::exists(make() + "/mine"));
}

TEST_F(ContainerSetupTest, ManyLayersWithLongAndStrangeNames) {
  std::vector<std::string> layers;
  for (int i = 0; i < 120; ++i) {
    layers.push_back(dir_ / cat("layer:with,odd\\name-", i, std::string(40, 'x')));
    ASSERT_TRUE(sys::mkdir(layers.back(), 0755));
    ASSERT_TRUE(write_file_atomic(cat(layers.back(), "/f", i), "", 0644));
  }
  for (const std::size_t count : {std::size_t{2}, layers.size()}) {
    const auto made = make_rootfs(launch_, {layers.begin(), layers.begin() + static_cast<std::ptrdiff_t>(count)}, {});
    ASSERT_TRUE(made) << made.error().message();
    for (std::size_t i = 0; i < count; ++i) EXPECT_TRUE(sys::exists(cat(made->seen(), "/f", i))) << i;
    ASSERT_TRUE(remove_rootfs(launch_.place));
  }
}

TEST_F(ContainerSetupTest, KernelsBefore68MakeTheSame) {
  OverlaySpec spec;
  spec.lower = {dir_ / "lower1", dir_ / "lower2"};
  spec.upper = dir_ / "upper";
  spec.work = dir_ / "work";
  spec.scratch = dir_ / "scratch";
  for (const auto& path : {spec.upper, spec.work, spec.scratch}) ASSERT_TRUE(sys::mkdir(path, 0755));
  {
    const auto made = make_overlay_by_options(spec);
    ASSERT_TRUE(made) << made.error().message();
    EXPECT_FALSE(anything_mounted()) << "the host's table of mounts has it";
    const std::string seen = cat("/proc/self/fd/", made->get());
    EXPECT_EQ(read_file(seen + "/a").value(), "bottom");
    EXPECT_EQ(read_file(seen + "/b").value(), "top");
    ASSERT_TRUE(write_file_atomic(seen + "/mine", "x", 0644));
  }
  EXPECT_TRUE(sys::exists(dir_ / "upper/mine"));
  spec.lower.assign(40, dir_ / ("lower1/" + std::string(100, '/')));
  EXPECT_EQ(make_overlay_by_options(spec).error().code, ErrorCode::kUnsupported) << "more than a page of paths";
}

TEST_F(ContainerSetupTest, WhatAKillLeftMountedIsTakenAway) {
  const auto rootfs = ContainerPlace{launch_.place}.rootfs();
  ASSERT_TRUE(sys::mkdir_all(rootfs, 0700));
  ASSERT_TRUE(sys::mount("tmpfs", rootfs, "tmpfs", 0, ""));
  ASSERT_TRUE(anything_mounted()) << "as where a kernel before 6.8 mounts for a moment";
  ASSERT_TRUE(remove_rootfs(launch_.place));
  EXPECT_FALSE(anything_mounted());
}

TEST_F(ContainerSetupTest, AGivenRootfsIsUsedAsItStands) {
  launch_.spec.rootfs_path = dir_ / "lower1";
  EXPECT_EQ(make(), dir_ / "lower1");
  launch_.spec.kind = Kind::kDisposable;
  ASSERT_TRUE(write_file_atomic(make() + "/mine", "x", 0644));
  EXPECT_FALSE(sys::exists(dir_ / "lower1/mine"));
}

TEST_F(ContainerSetupTest, AMissingRootfsIsNamed) {
  launch_.spec.rootfs_path = dir_ / "nowhere";
  const auto made = make_rootfs(launch_, {}, {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::kNotFound);
  EXPECT_NE(made.error().step.find("rootfs_path"), std::string::npos);
}

TEST_F(ContainerSetupTest, OwnersAreMappedToTheContainersIdsButNotOnDisk) {
  const IdRange ids{1'879'048'192, 65'536};
  const auto rootfs = make(ids);
  EXPECT_EQ(sys::stat(rootfs + "/a").value().st_uid, ids.first);
  EXPECT_EQ(sys::stat(dir_ / "lower1/a").value().st_uid, 0U);
  // The host's root is nobody in there.
  EXPECT_FALSE(write_file_atomic(rootfs + "/new", "x", 0644));
  ASSERT_TRUE(run_as_container_root(ids, [&] { return write_file_atomic(rootfs + "/new", "x", 0644); }));
  EXPECT_EQ(sys::stat(dir_ / "state/layer/upper/new").value().st_uid, 0U);
  ASSERT_TRUE(sys::chown(rootfs + "/new", ids.first + 7, ids.first + 7));
  EXPECT_EQ(sys::stat(dir_ / "state/layer/upper/new").value().st_uid, 7U);
  ASSERT_TRUE(remove_rootfs(launch_.place));
  EXPECT_FALSE(anything_mounted());
}

TEST_F(ContainerSetupTest, AGivenRootfsIsMappedToo) {
  launch_.spec.rootfs_path = dir_ / "lower1";
  const IdRange ids{1'879'048'192, 65'536};
  EXPECT_EQ(sys::stat(make(ids) + "/a").value().st_uid, ids.first);
}

TEST_F(ContainerSetupTest, ANetworkNamespaceHasLoopbackAndNoName) {
  SpareNetwork spare(make_netns);
  const auto netns = make_network(launch_, spare);
  ASSERT_TRUE(netns) << netns.error().message();
  EXPECT_FALSE(anything_mounted());
  std::vector<std::string> names;
  std::string low_ports;
  std::string pings;
  ASSERT_TRUE(network::run_in_netns(netns->get(), [&]() -> Status {
    auto inside = TRY(network::Netlink::open());
    for (const auto& link : TRY(network::list_links(inside))) names.push_back(link.name);
    low_ports = TRY(read_file("/proc/sys/net/ipv4/ip_unprivileged_port_start"));
    pings = TRY(read_file("/proc/sys/net/ipv4/ping_group_range"));
    return {};
  }));
  EXPECT_EQ(names, std::vector<std::string>{"lo"});
  EXPECT_EQ(low_ports, "0\n");
  EXPECT_EQ(pings, "0\t2147483647\n");
}

TEST_F(ContainerSetupTest, EtcTellsNameAddressAndResolvers) {
  launch_.network.emplace();
  launch_.network->ip = "192.168.127.100";
  launch_.network->dns = {"192.0.2.53"};
  ASSERT_TRUE(write_etc(launch_, {}));
  const ContainerPlace place{launch_.place};
  EXPECT_EQ(read_file(place.etc() + "/hostname").value(), "web\n");
  EXPECT_NE(read_file(place.etc() + "/hosts").value().find("192.168.127.100\tweb\n"), std::string::npos);
  EXPECT_NE(read_file(place.etc() + "/resolv.conf").value().find("nameserver 192.0.2.53\n"), std::string::npos);
}

TEST(ClaimIdRange, NoTwoRunsShareARange) {
  const TempDir directory = TempDir::create("id-range-").value();
  const auto place_of = [&](int number) {
    const EnvironmentPlace place{cat("id", number), cat("name", number), directory / "state", directory / cat(number)};
    EXPECT_TRUE(sys::mkdir_all(place.run_dir, 0700));
    return place;
  };
  std::set<std::uint32_t> firsts;
  // The same address for all, and addresses that are the same modulo the number of ranges.
  for (int i = 0; i < 40; ++i) {
    const auto range = claim_id_range(place_of(i), i % 2 == 0 ? "10.0.0.1" : cat("10.0.", 16 * (i % 16), ".1"));
    ASSERT_TRUE(range) << range.error().message();
    firsts.insert(range->first);
    EXPECT_EQ(range->count, 65'536U);
    EXPECT_EQ(range->first % 65'536U, 0U);
    EXPECT_GE(range->first, 0x70000000U);
    EXPECT_LE(range->first, 0x7FFF0000U);
  }
  EXPECT_EQ(firsts.size(), 40U);
  // What a run had is free when it is over.
  const auto last = claim_id_range(place_of(100), "10.1.0.1");
  ASSERT_TRUE(sys::remove_tree(directory / "100"));
  EXPECT_EQ(claim_id_range(place_of(101), "10.1.0.1")->first, last->first);
}

}  // namespace
}  // namespace skerry
