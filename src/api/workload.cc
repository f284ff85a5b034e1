// ANY /api/v1/environments/{name}/agent/…: a request of the client, put to the workload's own HTTP (its base_url).
//
// What is passed on is made anew and never copied: a method of the route table, a path that was read, headers that were
// taken apart, a body of known length, over HTTP/1.0 on a connection of its own. So no two readers of it can disagree
// about where it ends (RFC 9112 section 11.2). Neither side's credentials pass: the workload gets no token of the
// daemon, and the daemon's origin no cookie of the workload; browsers run what it sends in an origin of its own.
#include <algorithm>
#include <array>

#include "api/exec.h"
#include "api/exec_calls.h"
#include "api/find.h"
#include "api/handlers.h"
#include "base/text.h"
#include "control/http_exchange.h"
#include "core/state_machine.h"

namespace skerry::api {
namespace {

constexpr Duration kPatience = std::chrono::seconds(60);
constexpr std::size_t kMostBytes = 4U << 20U;

// Of one connection only (RFC 9110 section 7.6.1), or ours to say.
constexpr std::array<std::string_view, 12> kOfOneHop{"connection",
                                                     "keep-alive",
                                                     "proxy-authenticate",
                                                     "proxy-authorization",
                                                     "proxy-connection",
                                                     "te",
                                                     "trailer",
                                                     "transfer-encoding",
                                                     "upgrade",
                                                     "content-length",
                                                     "host",
                                                     "expect"};
// Of the client, for the daemon alone.
constexpr std::array<std::string_view, 10> kForTheDaemon{
    "authorization",    "cookie",       "origin",      "x-forwarded-for", "forwarded",
    "x-forwarded-host", "x-request-id", "skerry-role", "skerry-zones",    "accept-encoding"};
// Of the workload: what would act on the daemon's origin in a browser, or is written anew.
constexpr std::array<std::string_view, 17> kNotForTheClient{"set-cookie",
                                                            "set-cookie2",
                                                            "clear-site-data",
                                                            "strict-transport-security",
                                                            "alt-svc",
                                                            "service-worker-allowed",
                                                            "www-authenticate",
                                                            "x-request-id",
                                                            "content-type",
                                                            "cache-control",
                                                            "public-key-pins",
                                                            "location",
                                                            "nel",
                                                            "report-to",
                                                            "reporting-endpoints",
                                                            "accept-ch",
                                                            "critical-ch"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& letter : out) letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  return out;
}

template <std::size_t N>
bool is_among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// The headers that Connection declares to be of this hop.
std::vector<std::string> declared(const HttpHeaders& headers) {
  std::vector<std::string> names;
  for (const auto& [name, value] : headers) {
    if (lower(name) != "connection") continue;
    for (const auto each : split(value, ',')) names.push_back(lower(trim(each)));
  }
  return names;
}

// Those that are of no hop and not dropped.
template <std::size_t N>
HttpHeaders passed_on(const HttpHeaders& headers, const std::array<std::string_view, N>& dropped) {
  const auto of_hop = declared(headers);
  HttpHeaders out;
  for (const auto& [name, value] : headers) {
    const std::string key = lower(name);
    if (is_among(kOfOneHop, key) || is_among(dropped, key)) continue;
    if (std::ranges::find(of_hop, key) == of_hop.end()) out.emplace_back(name, value);
  }
  return out;
}

// "/api/v1/environments/web/agent", and what stands behind it.
struct Place {
  std::string prefix;
  std::string rest;  // "/…"
};
Place place_of(const Request& request) {
  constexpr std::string_view kWord = "/agent";
  std::size_t at = 0;
  // The fifth segment: the name itself may be "agent".
  for (int slashes = 0; slashes < 5; ++slashes) at = request.path.find('/', at + (slashes == 0 ? 0 : 1));
  const std::size_t end = at + kWord.size();
  std::string rest = request.path.substr(std::min(end, request.path.size()));
  return {request.path.substr(0, end), rest.empty() ? "/" : rest};
}

HttpQuestion question_of(const Request& request, ProbeTarget target) {
  HttpQuestion question;
  question.method = request.method;
  question.target = std::move(target);
  if (!request.raw_query.empty()) question.target.path += cat("?", request.raw_query);
  question.headers = passed_on(request.headers, kForTheDaemon);
  // Said by Skerry itself, once.
  std::erase_if(question.headers, [](const auto& each) {
    const std::string key = lower(each.first);
    return key == "content-type" || key == "user-agent" || key == "accept";
  });
  question.content_type = request.content_type;
  question.body = request.body;
  question.most_bytes = kMostBytes;
  return question;
}

Response response_of(HttpAnswer answer, const std::string& prefix) {
  Response response;
  response.status = answer.status;
  response.content_type = std::move(answer.content_type);
  for (const auto& [name, value] : answer.headers) {
    // Of its own root, which is below ours.
    if (lower(name) == "location")
      response.headers.emplace_back("Location",
                                    value.starts_with('/') && !value.starts_with("//") ? prefix + value : value);
  }
  for (auto& each : passed_on(answer.headers, kNotForTheClient)) response.headers.push_back(std::move(each));
  response.headers.emplace_back("Content-Security-Policy", "sandbox allow-scripts allow-forms");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  if (answer.status != 204 && answer.status != 304) {
    response.body = std::move(answer.body);
    response.length = answer.length;
  }
  return response;
}

Result<Response> ask(const Environment& environment, const Request& request, const std::function<bool()>& cancelled) {
  const Place place = place_of(request);
  const auto target = TRY(workload_target(environment, place.rest));
  auto answer = TRY_IN(cat("the workload of \"", environment.spec.name, "\""),
                       ask_http(question_of(request, target), kPatience, cancelled));
  if (answer.status < 200 || answer.status > 599) {
    return fail(ErrorCode::kCorrupt, cat("the workload answered with the status ", answer.status));
  }
  return response_of(std::move(answer), place.prefix);
}

Status start(Context& context, Request request, const Reply& reply) {
  const auto environment = TRY(find_to_enter(context, request));
  if (environment.status.state != State::kRunning) {
    return fail(ErrorCode::kConflict, cat("\"", environment.spec.name, "\" is ", to_text(environment.status.state)),
                "start it first");
  }
  const Caller caller = request.caller;
  // On a thread of its own: workloads that hang hold up nobody.
  return context.execs.start(caller, environment.spec.name,
                             [environment, request = std::move(request), reply](const std::function<bool()>& stopped) {
                               const auto cancelled = [&] { return stopped() || (request.gone && *request.gone); };
                               reply(ask(environment, request, cancelled));
                             });
}

}  // namespace

// NOLINTNEXTLINE(performance-unnecessary-value-param): the signature of all handlers that answer later
void ask_workload(Context& context, Request request, Reply reply) {
  if (auto started = start(context, std::move(request), reply); !started) {
    reply(fail(std::move(started).error()));
  }
}

}  // namespace skerry::api
