#include "api/authorise.h"

#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "api/permit.h"
#include "api/tls.h"
#include "base/text.h"

namespace skerry::api {
namespace {

// The groups of the peer as the kernel noted them at connect(2) (SO_PEERGROUPS, unix(7)).
std::vector<gid_t> peer_groups(int socket) {
  std::vector<gid_t> groups(256);
  auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) {
    if (errno != ERANGE) return {};
    groups.resize(size / sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return {};
  }
  groups.resize(size / sizeof(gid_t));
  return groups;
}

bool in_group(int socket, const PeerCredentials& peer, const std::string& group) {
  if (group.empty()) return false;
  std::vector<char> buffer(16384);
  struct group entry{};
  struct group* found = nullptr;
  if (::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) return false;
  if (peer.gid == entry.gr_gid) return true;
  const auto groups = peer_groups(socket);
  return std::ranges::find(groups, entry.gr_gid) != groups.end();
}

// "localhost:8080", "127.0.0.1", "[::1]:1" → the name without its port.
std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool is_our_host(const ApiConfig& config, std::string_view host) {
  const auto name = host_name(host);
  if (name == "localhost" || name == "127.0.0.1" || name == "[::1]") return true;
  return is_named(config.hosts, name);
}

}  // namespace

Result<Caller> caller_of_socket(int socket, const PeerCredentials& peer, const std::string& group) {
  if (peer.uid != 0 && peer.uid != ::geteuid() && !in_group(socket, peer, group)) {
    return fail(ErrorCode::kPermissionDenied, cat("user ", peer.uid, " may not use this socket"),
                group.empty() ? "become root" : cat("become root or a member of group ", group));
  }
  return Caller{cat("uid ", peer.uid), Role::kAdmin, {}};
}

Status check_zone(const Zones& zones, std::string_view zone, const Caller& caller) {
  if (zones.exists(std::string(zone))) return {};
  std::vector<std::string> names;
  for (const auto& each : zones.list()) {
    if (caller.role != Role::kNobody && caller.may_touch_zone(each.name)) names.push_back(each.name);
  }
  return fail(ErrorCode::kInvalidArgument, cat("zones: there is no zone \"", zone.substr(0, 64), "\""),
              names.empty() ? "" : cat("there is: ", join(names, ", ")));
}

Result<Caller> lowered(Caller caller, const std::string& role, const std::string& zones) {
  if (!role.empty()) caller.role = std::min(caller.role, TRY(parse_role(role)));
  if (zones.empty()) return caller;
  std::vector<std::string> kept;
  for (const auto zone : split(zones, ',')) {
    if (caller.may_touch_zone(zone)) kept.emplace_back(zone);
  }
  if (kept.empty()) return fail(ErrorCode::kRefused, "none of these zones is yours");
  caller.zones = std::move(kept);
  return caller;
}

Result<Caller> caller_of_headers(Context& context, const Credentials& credentials) {
  // A page of another site can make a browser connect here; it cannot choose these two headers.
  if (!is_our_host(context.config, credentials.host)) {
    return fail(ErrorCode::kRefused, cat("Host \"", credentials.host.substr(0, 80), "\" is not this server"));
  }
  if (!credentials.origin.empty() && credentials.origin != cat("http://", credentials.host) &&
      credentials.origin != cat("https://", credentials.host)) {
    return fail(ErrorCode::kRefused, cat("Origin \"", credentials.origin.substr(0, 80), "\" is not this server"));
  }
  constexpr std::string_view kScheme = "Bearer ";
  if (!credentials.authorization.starts_with(kScheme)) return Caller{};
  const auto secret = trim(std::string_view(credentials.authorization).substr(kScheme.size()));
  if (auto caller = context.tokens.find(secret); caller) return *caller;
  return fail(ErrorCode::kPermissionDenied, "the token is not known or was revoked", "see: skerry token ls");
}

Status may_call(const Caller& caller, const Route& route) {
  if (caller.role >= route.role) {
    if (caller.zones.empty() || !is_host_wide(route)) return {};
    return fail(ErrorCode::kRefused,
                cat("this is for the whole host, and ", caller.name, " is limited to zone ", join(caller.zones, ", ")));
  }
  if (caller.role == Role::kNobody) {
    return fail(ErrorCode::kPermissionDenied, "a token is needed",
                "send \"Authorization: Bearer TOKEN\"; make one with: skerry token create");
  }
  return fail(ErrorCode::kPermissionDenied,
              cat("role ", to_text(caller.role), " may not do this: it takes ", to_text(route.role)));
}

}  // namespace skerry::api
