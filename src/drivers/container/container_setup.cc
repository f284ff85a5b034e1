#include "drivers/container/container_setup.h"

#include <fcntl.h>

#include "base/sys_file.h"
#include "base/text.h"
#include "core/net.h"
#include "drivers/attachment.h"
#include "drivers/container/container_place.h"
#include "drivers/container/id_range.h"
#include "drivers/container/overlay.h"
#include "network/netns.h"
#include "network/port.h"
#include "network/resolv.h"
#include "network/sysctl.h"

namespace skerry {

// ── root file system ──

namespace {

// By its descriptor's name the kernel finds a mount that has no other.
std::string name_of(const Fd& mount) { return cat("/proc/self/fd/", mount.get()); }

Result<Fd> lay_layers(const ContainerPlace& place, OverlaySpec overlay, const std::optional<IdRange>& ids) {
  if (!ids) return make_overlay(overlay);
  TRY(sys::mkdir_all(overlay.upper, 0755));
  TRY(sys::mkdir_all(overlay.work, 0700));
  const Fd user_namespace = TRY(make_user_namespace(*ids));
  // As the container's user namespace shall see them. The overlay keeps the mounts it was made of.
  std::vector<Fd> mapped;
  // upper and work must be on one mount.
  mapped.push_back(TRY(make_idmapped(place.layer(), user_namespace.get())));
  overlay.upper = name_of(mapped.back()) + "/upper";
  overlay.work = name_of(mapped.back()) + "/work";
  for (auto& lower : overlay.lower) {
    mapped.push_back(TRY(make_idmapped(lower, user_namespace.get())));
    lower = name_of(mapped.back());
  }
  // The overlay works with the credentials of who mounts it.
  Fd made;
  TRY(run_as_container_root(*ids, [&]() -> Status {
    made = TRY(make_overlay(overlay));
    return {};
  }));
  return made;
}

}  // namespace

std::string RootFs::seen() const { return mount ? name_of(mount) : path; }

Result<RootFs> make_rootfs(const Launch& launch, const std::vector<std::string>& image_layers,
                           const std::optional<IdRange>& ids) {
  const ContainerPlace place{launch.place};
  const bool keeps = launch.spec.kind == Kind::kApp;
  const std::string& given = launch.spec.rootfs_path;
  if (!given.empty()) TRY_IN("rootfs_path", sys::open(given, O_PATH | O_DIRECTORY));
  if (!given.empty() && keeps && !ids) return RootFs{given, {}};

  TRY(sys::mkdir_all(place.rootfs(), 0700));
  if (!given.empty() && keeps) {
    const Fd user_namespace = TRY(make_user_namespace(*ids));
    return RootFs{place.rootfs(), TRY(make_idmapped(given, user_namespace.get()))};
  }
  // A run of which a crashed host left the rest is forgotten here.
  if (!keeps) TRY(drop_layer(launch.place));
  OverlaySpec overlay;
  overlay.lower = given.empty() ? image_layers : std::vector{given};
  overlay.upper = place.layer() + "/upper";
  overlay.work = place.layer() + "/work";
  overlay.scratch = place.rootfs();
  overlay.throw_away = !keeps || launch.spec.auto_remove;
  return RootFs{place.rootfs(), TRY(lay_layers(place, std::move(overlay), ids))};
}

Status remove_rootfs(const EnvironmentPlace& place) { return unmount(ContainerPlace{place}.rootfs()); }

Status drop_layer(const EnvironmentPlace& place) { return sys::remove_tree(ContainerPlace{place}.layer()); }

// ── network ──

namespace {

// Low ports, and ping: what elsewhere needs a capability concerns only the container's own network here. Not by the
// configuration's sysctls: in a user namespace the runtime could not write them.
Status open_to_everybody() {
  return network::set_sysctls("ipv4", {{"ip_unprivileged_port_start", "0"}, {"ping_group_range", "0 2147483647"}});
}

}  // namespace

Result<network::NewNetns> make_netns() { return network::create_netns(open_to_everybody); }

Result<Fd> make_network(const Launch& launch, SpareNetwork& spare) {
  auto netns = TRY(spare.take());
  if (launch.network) {
    const auto port = TRY_IN("network", port_of(launch));
    TRY(network::attach_veth(port, netns));
  }
  return std::move(netns.netns);
}

// ── files and binds ──

Status write_etc(const Launch& launch, const std::optional<IdRange>& ids) {
  const ContainerPlace place{launch.place};
  const std::string hostname = launch.spec.hostname.empty() ? launch.spec.name : launch.spec.hostname;
  const std::string address = launch.network ? launch.network->ip : std::string();
  network::DnsConfig dns;
  if (launch.network) dns.servers = launch.network->dns;
  // Without a network nothing can be asked.
  const std::string host = launch.network ? network::host_resolv_conf() : std::string();
  const std::string resolv_conf = TRY(network::render_resolv_conf(host, dns));
  TRY(sys::mkdir_all(place.etc(), 0755));
  const std::uint32_t owner = ids ? ids->first : 0;
  const auto write = [&](std::string_view name, const std::string& content) -> Status {
    const std::string path = cat(place.etc(), "/", name);
    const Fd file = TRY(sys::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
    TRY_IN(path, sys::write_all(file.get(), content));
    TRY(sys::chmod(path, 0644));
    return sys::chown(path, owner, owner);
  };
  TRY(write("hosts", network::render_hosts(hostname, address)));
  TRY(write("hostname", hostname + "\n"));
  return write("resolv.conf", resolv_conf);
}

Status let_through(const EnvironmentPlace& place, const IdRange& ids) {
  for (const auto& own : {place.state_dir, place.run_dir}) {
    TRY(sys::chown(own, 0, ids.first));
    TRY(sys::chmod(own, 0710));
    for (auto slash = own.rfind('/'); slash != 0 && slash != std::string::npos; slash = own.rfind('/', slash - 1)) {
      const std::string above = own.substr(0, slash);
      const auto info = TRY(sys::stat(above));
      if ((info.st_mode & S_IXOTH) != 0) continue;
      return fail(ErrorCode::kPermissionDenied, cat("a user namespace cannot reach ", own),
                  cat("let others pass: chmod o+x ", above));
    }
  }
  return {};
}

Status check_bind_sources(const EnvironmentSpec& spec) {
  for (std::size_t i = 0; i < spec.mounts.size(); ++i) {
    if (auto found = sys::stat(spec.mounts[i].source); !found) {
      return fail(std::move(found).error().in(cat("mounts[", i, "].source")).with_hint("make it on the host first"));
    }
  }
  return {};
}

}  // namespace skerry
