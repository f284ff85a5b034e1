// A route: one method on one path, who may call it, what serves it, and what the OpenAPI document says of it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "api/caller.h"
#include "api/http.h"

namespace skerry::api {

struct Context;

// Called on a worker thread; answers through `reply`, at once or later.
using Handler = void (*)(Context& context, Request request, Reply reply);

// A handler that has its answer when it returns.
using PlainHandler = Result<Response> (*)(Context& context, const Request& request);
template <PlainHandler function>
void plain(Context& context, Request request, Reply reply) {  // NOLINT(performance-unnecessary-value-param): a Handler
  reply(function(context, request));
}

struct Route {
  std::string_view method;
  std::string_view path;  // "/api/v1/environments/{name}"; a parameter is one segment, "{rest*}" the whole rest,
                          // "{rest**}" also an empty one
  Role role;              // the least that may call it
  Handler handler;
  std::string_view summary;
  int status;                 // of success
  std::string_view request;   // schema of the body, by name in schemas.cc; empty: none
  std::string_view response;  // the same of the answer; "Xs" is not implied: arrays have "[]X"
  std::string_view query;     // names of the query's options, separated by spaces
  // Of the answer, separated by spaces when it has several forms; the schema is that of the JSON one.
  std::string_view media = "application/json";
};

// Every route there is: the one table that serves, authorises and documents.
std::span<const Route> routes();

struct Match {
  const Route* route = nullptr;
  std::map<std::string, std::string> parameters;
};
// kNotFound; kUnsupported when the path exists but not with this method: the error's hint then lists the methods.
Result<Match> find_route(std::string_view method, std::string_view path);
// kInvalidArgument names the option of the query that the route does not know. What goes on to a workload may say
// anything.
Status check_query(const Route& route, const std::map<std::string, std::string>& query);
// The methods a path has, for the Allow header; empty when there is no such path.
std::string allowed_methods(std::string_view path);

}  // namespace skerry::api
