// Who is it, and may it? Decided before a handler runs, from the connection, the headers and the route.
#pragma once

#include <string>
#include <string_view>

#include "api/caller.h"
#include "api/context.h"
#include "api/http.h"
#include "api/route.h"
#include "base/result.h"
#include "base/unix_socket.h"

namespace skerry::api {

// Whether the peer of a unix socket is let in: root, the daemon's own user, or a member of the group.
Result<Caller> caller_of_socket(int socket, const PeerCredentials& peer, const std::string& group);

// A local client may ask for less than it has: a role, and zones separated by commas ("": as they are). For programs
// that act for somebody else. kInvalidArgument: no such role.
Result<Caller> lowered(Caller caller, const std::string& role, const std::string& zones);

// The headers that say who asks over TCP.
struct Credentials {
  std::string authorization;
  std::string host;
  std::string origin;
};
// kPermissionDenied: wrong or missing token (401). kRefused: Host or Origin of another site (403).
Result<Caller> caller_of_headers(Context& context, const Credentials& credentials);

// A caller is only limited to zones that there are: else it would be let in by who makes one of that name. The error
// lists those that `caller`, who asks, knows of anyway.
Status check_zone(const Zones& zones, std::string_view zone, const Caller& caller);
// kPermissionDenied names the role that is needed.
Status may_call(const Caller& caller, const Route& route);

}  // namespace skerry::api
