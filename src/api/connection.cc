#include "api/connection.h"

#include <sys/socket.h>

#include <array>
#include <boost/beast/websocket/rfc6455.hpp>

#include "api/audit.h"
#include "api/authorise.h"
#include "api/handlers.h"
#include "api/hang_up_watch.h"
#include "api/right_watch.h"
#include "base/log.h"
#include "base/text.h"
#include "wire/problem.h"

namespace skerry::api {
namespace {

constexpr std::uint32_t kMaxHeader = 8U << 10U;
constexpr std::uint64_t kMaxBody = 4U << 20U;
constexpr Duration kDrainTime = std::chrono::seconds(1);
constexpr std::size_t kDrainBytes = 1U << 20U;
constexpr std::size_t kUsualRoom = 128U << 10U;
constexpr std::size_t kMaxRoom = 4U << 20U;

using RawRequest = http::request<http::string_body>;
using Parser = http::request_parser<http::string_body>;

std::string text_of(beast::string_view text) { return {text.data(), text.size()}; }

std::string header(const RawRequest& raw, http::field name) {
  const auto found = raw.find(name);
  return found == raw.end() ? std::string{} : text_of(found->value());
}

// A media type is the same in capitals, and with parameters behind it (RFC 9110 section 8.3.1).
bool is_json(std::string_view content_type) {
  return beast::iequals(trim(content_type.substr(0, content_type.find(';'))), "application/json");
}

// One that was sent twice has two values, and agrees with neither.
template <typename Field>
void add_mcp_header(Request& request, const Field& field) {
  std::string name = text_of(field.name_string());
  for (char& letter : name) letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
  auto& value = request.mcp[name];
  value += cat(value.empty() ? "" : ", ", text_of(field.value()));
}

// What the client gets when its request cannot be read; nullopt: nothing, it is gone or too slow.
struct ReadFailure {
  int status;
  Error error;
};
std::optional<ReadFailure> explain(const beast::error_code& ec) {
  if (ec == http::error::header_limit) {
    return ReadFailure{431,
                       {ErrorCode::kResourceExhausted, 0, cat("the header is larger than ", kMaxHeader, " bytes"), {}}};
  }
  if (ec == http::error::body_limit) {
    return ReadFailure{413,
                       {ErrorCode::kResourceExhausted, 0, cat("the body is larger than ", kMaxBody, " bytes"), {}}};
  }
  const bool gone = ec == http::error::end_of_stream || ec == http::error::partial_message ||
                    ec == beast::error::timeout || ec.category() == asio::error::get_system_category() ||
                    ec.category() == asio::error::get_misc_category();
  if (gone) return std::nullopt;
  return ReadFailure{400, {ErrorCode::kInvalidArgument, 0, cat("this is not HTTP: ", ec.message()), {}}};
}

int status_of_denial(const Caller& caller, const Error& error) {
  return caller.role == Role::kNobody && error.code == ErrorCode::kPermissionDenied ? 401 : wire::http_status(error);
}

Response problem_response(const Error& error, int status, const std::string& request_id) {
  Response response = json_response(wire::problem_json(error, status, request_id), status);
  response.content_type = "application/problem+json";
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"skerry\"");
  return response;
}

bool is_websocket(const Response& response) {
  return response.upgrade && response.upgrade->form == Upgrade::Form::kWebSocket;
}

// What a client says before its WebSocket is open (RFC 6455 section 4.1: it must not) would be lost, and what follows
// be read from its middle on.
Response refuse_early_frames(const std::string& request_id) {
  return problem_response(Error{ErrorCode::kInvalidArgument, 0, "frames came before the WebSocket was open", {}}, 400,
                          request_id);
}

class Session {
 public:
  Session(Core& core, Stream stream, std::optional<Result<Caller>> local)
      : core_(core), stream_(std::move(stream)), local_(std::move(local)) {}

  asio::awaitable<void> run() {
    while (co_await serve_one()) {
    }
    beast::error_code ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_both, ignored);
  }

 private:
  // One request and its answer; whether another may follow.
  asio::awaitable<bool> serve_one() {
    if (!co_await wait_for_bytes()) co_return false;
    Parser parser;
    parser.header_limit(kMaxHeader);
    parser.body_limit(kMaxBody);
    auto failure = co_await read_header(parser);
    head_only_ = !failure && parser.get().method() == http::verb::head;
    std::optional<BodyBudget::Share> share;
    if (!failure && !parser.is_done()) {
      if (const auto answer = refusal_of(parser, share)) {
        co_await refuse(*answer);
        co_return false;
      }
      failure = co_await read_body(parser);
    }
    if (failure) {
      if (*failure == beast::error::timeout) ++core_.metrics.timeouts;
      const auto answer = explain(*failure);
      if (answer) co_await refuse(*answer);
      co_return false;
    }
    const RawRequest raw = parser.release();
    if (const auto ambiguous = ambiguity_of(raw)) {
      co_await refuse(*ambiguous);
      co_return false;
    }
    co_return co_await respond_to(raw);
  }

  // Between requests a connection may be idle; once a byte is there the header's time runs.
  asio::awaitable<bool> wait_for_bytes() {
    if (buffer_.size() > 0) co_return true;
    // Strangers, who have shown no token yet, may not linger.
    const auto patience = known_ ? core_.config.idle_timeout : core_.config.header_timeout;
    stream_.expires_after(std::chrono::duration_cast<std::chrono::milliseconds>(patience));
    const auto [ec, size] = co_await stream_.async_read_some(buffer_.prepare(4096), kAwait);
    if (ec) co_return false;
    buffer_.commit(size);
    co_return true;
  }

  asio::awaitable<std::optional<beast::error_code>> read_header(Parser& parser) {
    stream_.expires_after(std::chrono::duration_cast<std::chrono::milliseconds>(core_.config.header_timeout));
    const auto [error, size] = co_await http::async_read_header(stream_, buffer_, parser, kAwait);
    if (error) co_return error;
    co_return std::nullopt;
  }

  asio::awaitable<std::optional<beast::error_code>> read_body(Parser& parser) {
    stream_.expires_after(std::chrono::duration_cast<std::chrono::milliseconds>(core_.config.body_timeout));
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [ec, size] = co_await asio::async_write(stream_, asio::buffer(kContinue), kAwait);
      if (ec) co_return ec;
    }
    const auto [error, size] = co_await http::async_read(stream_, buffer_, parser, kAwait);
    if (error) co_return error;
    co_return std::nullopt;
  }

  // Before a body is read: strangers may send none, and all bodies together have a bound.
  std::optional<ReadFailure> refusal_of(const Parser& parser, std::optional<BodyBudget::Share>& share) {
    const auto& head = parser.get();
    const auto caller = identify(head);
    if (!caller) return ReadFailure{status_of_denial(Caller{}, caller.error()), caller.error()};
    if (caller->role == Role::kNobody) {
      core_.audit->denied();
      return ReadFailure{401, {ErrorCode::kPermissionDenied, 0, "a token is needed", "see: skerry token create"}};
    }
    share = core_.bodies.take(parser.content_length() ? *parser.content_length() : kMaxBody);
    if (share) return std::nullopt;
    return ReadFailure{503, {ErrorCode::kUnavailable, 0, "too many large requests at once", "try again"}};
  }

  // What two readers of the same bytes could understand differently (RFC 9112 section 6.1, RFC 9110 section 7.2).
  static std::optional<ReadFailure> ambiguity_of(const RawRequest& raw) {
    const auto bad = [](std::string what) {
      return ReadFailure{400, {ErrorCode::kInvalidArgument, 0, std::move(what), {}}};
    };
    static constexpr std::array kOnce = {http::field::host,           http::field::authorization,
                                         http::field::origin,         http::field::content_type,
                                         http::field::content_length, http::field::transfer_encoding};
    for (const auto name : kOnce) {
      if (raw.count(name) > 1) return bad(cat("the header ", text_of(to_string(name)), " came twice"));
    }
    const auto coding = raw.find(http::field::transfer_encoding);
    if (coding != raw.end() && !beast::iequals(coding->value(), "chunked")) {
      return bad("Transfer-Encoding: only \"chunked\" is understood");
    }
    return std::nullopt;
  }

  // Answers and closes so that the client can read the answer: closing with unread bytes would reset the connection.
  asio::awaitable<void> refuse(const ReadFailure& failure) {
    auto response = problem_response(failure.error, failure.status, {});
    co_await write_plain(response, false, {});
    beast::error_code ec;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, ec);
    stream_.expires_after(std::chrono::duration_cast<std::chrono::milliseconds>(kDrainTime));
    std::size_t drained = 0;
    while (!ec && drained < kDrainBytes) {
      buffer_.clear();
      const auto [error, size] = co_await stream_.async_read_some(buffer_.prepare(16384), kAwait);
      ec = error;
      drained += size;
    }
  }

  // Notices that the client hangs up while its command runs. What comes late touches only what is shared.
  std::shared_ptr<const std::atomic<bool>> watch_client() {
    auto gone = std::make_shared<std::atomic<bool>>(false);
    const int socket = stream_.socket().native_handle();
    stream_.socket().async_wait(asio::socket_base::wait_read, [gone, socket](beast::error_code ec) {
      char byte = 0;
      if (!ec) *gone = ::recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
    });
    return gone;
  }

  // The client's own when it is one that may be repeated in headers and lines; of two, neither.
  std::string id_of(const RawRequest& raw) {
    const auto given = raw.find("X-Request-Id");
    const bool fit = given != raw.end() && raw.count("X-Request-Id") == 1 && is_request_id(text_of(given->value()));
    return fit ? text_of(given->value()) : core_.request_ids.next();
  }

  asio::awaitable<bool> respond_to(const RawRequest& raw) {
    ++core_.metrics.requests;
    Request request;
    request.id = id_of(raw);
    const std::string id = request.id;
    const MonoTime begun = core_.context.ports.clock.monotonic();
    const Route* route = nullptr;
    auto response = prepare(raw, request, route);
    std::optional<RightWatch> right;
    // Who comes by the unix socket has been asked by the kernel, once.
    if (!response && !local_)
      right.emplace(core_.io, stream_.socket().native_handle(), [this, &raw, was = request.caller] {
        const auto now = identify(raw);
        return now && now->name == was.name && now->role == was.role && now->zones == was.zones;
      });
    const std::string subject = cat(request.method, " ", request.path);
    const std::string who = request.caller.name;
    if (!response) {
      if (route->handler == exec_environment || route->handler == ask_workload) request.gone = watch_client();
      const auto client = std::make_shared<HangUpWatch>(core_.io, stream_.socket().native_handle());
      client->begin();
      Result<Response> answer = co_await call_handler(core_, *route, std::move(request), client->let_go());
      if (answer && answer->later) answer = co_await wait_for(std::move(*answer->later), *client);
      client->end();
      if (answer) {
        response = std::move(*answer);
      } else {
        response = problem_response(answer.error(), wire::http_status(answer.error()), id);
      }
    }
    if (is_websocket(*response) && buffer_.size() > 0) response = refuse_early_frames(id);
    const Duration took = core_.context.ports.clock.monotonic() - begun;
    record(route, subject, who, id, response->status, took);
    if (is_websocket(*response)) {
      co_await relay_websocket(core_.io, stream_, raw, id, std::move(*response->upgrade));
      co_return false;
    }
    co_return co_await deliver(std::move(*response), raw.keep_alive(), id);
  }

  asio::awaitable<Result<Response>> wait_for(Later later, const HangUpWatch& client) {
    asio::steady_timer timer(core_.io);
    while (true) {
      if (client.gone()) co_return client_is_gone();
      Result<std::optional<Response>> seen = co_await look_once(core_, later);
      if (!seen) co_return fail(std::move(seen).error());
      if (*seen) co_return std::move(**seen);
      timer.expires_after(later.every);
      co_await timer.async_wait(kAwait);
    }
  }

  // Fills the request; an answer when it need not come to a handler.
  std::optional<Response> prepare(const RawRequest& raw, Request& request, const Route*& route) {
    const auto refuse_with = [&](const Error& error, int status) {
      return problem_response(error, status, request.id);
    };
    request.method = text_of(raw.method_string());
    const auto target = text_of(raw.target());
    const auto question = target.find('?');
    request.path = target.substr(0, question);
    auto caller = identify(raw);
    if (!caller) return refuse_with(caller.error(), status_of_denial(request.caller, caller.error()));
    request.caller = std::move(*caller);
    known_ = request.caller.role != Role::kNobody;
    auto match = find_route(request.method, request.path);
    if (!match) return refuse_no_route(match.error(), request);
    route = match->route;
    if (auto allowed = may_call(request.caller, *route); !allowed) {
      return refuse_with(allowed.error(), status_of_denial(request.caller, allowed.error()));
    }
    request.parameters = std::move(match->parameters);
    auto query = parse_query(question == std::string::npos ? "" : std::string_view(target).substr(question + 1));
    if (!query) return refuse_with(query.error(), 400);
    if (auto known = check_query(*route, *query); !known) return refuse_with(known.error(), 400);
    request.query = std::move(*query);
    request.vms_only = request.path.starts_with("/api/v1/vms");
    request.content_type = header(raw, http::field::content_type);
    request.accept = header(raw, http::field::accept);
    request.wants_websocket = beast::websocket::is_upgrade(raw);
    request.wants_frames = beast::iequals(raw[http::field::upgrade], "skerry-frames");
    if (const auto found = raw.find("Last-Event-ID"); found != raw.end())
      request.last_event_id = text_of(found->value());
    for (const auto& each : raw) {
      if (beast::iequals(each.name_string().substr(0, 4), "mcp-")) add_mcp_header(request, each);
    }
    request.body = raw.body();
    if (route->handler == ask_workload) {
      request.raw_query = question == std::string::npos ? "" : target.substr(question + 1);
      for (const auto& each : raw) request.headers.emplace_back(text_of(each.name_string()), text_of(each.value()));
    } else if (!request.body.empty() && !is_json(request.content_type)) {
      return refuse_with(Error{ErrorCode::kInvalidArgument, 0, "the body must be application/json", {}}, 415);
    }
    return std::nullopt;
  }

  Result<Caller> identify(const RawRequest& raw) const {
    if (local_) {
      if (!*local_) return *local_;
      return lowered_by(raw, **local_);
    }
    auto caller =
        TRY(caller_of_headers(core_.context, {header(raw, http::field::authorization), header(raw, http::field::host),
                                              header(raw, http::field::origin)}));
    return lowered_by(raw, std::move(caller));
  }

  // Who asks for less than he has.
  Result<Caller> lowered_by(const RawRequest& raw, Caller caller) const {
    const std::string zones = text_of(raw["Skerry-Zones"]);
    // Strangers and those of other zones do not learn which there are.
    if (!zones.empty() && caller.role != Role::kNobody) {
      for (const auto zone : split(zones, ',')) {
        if (caller.may_touch_zone(zone)) TRY(check_zone(core_.context.ports.zones, zone, caller));
      }
    }
    return lowered(std::move(caller), text_of(raw["Skerry-Role"]), zones);
  }

  Response refuse_no_route(const Error& error, const Request& request) {
    // Without credentials nobody learns which paths there are.
    if (request.caller.role == Role::kNobody) {
      return problem_response(Error{ErrorCode::kPermissionDenied, 0, "a token is needed", {}}, 401, request.id);
    }
    const bool wrong_method = error.code == ErrorCode::kUnsupported;
    auto response = problem_response(error, wrong_method ? 405 : wire::http_status(error), request.id);
    if (wrong_method) response.headers.emplace_back("Allow", allowed_methods(request.path));
    return response;
  }

  void record(const Route* route, const std::string& subject, const std::string& who, const std::string& id, int status,
              Duration took) {
    ++core_.metrics.by_class.at(static_cast<std::size_t>(status / 100) % core_.metrics.by_class.size());
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    // What only looks is many, and changes nothing. A GET that becomes a console is typed into.
    const bool talks = status == 101;
    const bool asks = route != nullptr && (route->method == "GET" || route->method == "HEAD");
    const bool looks = status < 500 && !talks && (route == nullptr || asks);
    log::write(looks ? log::Level::kDebug : log::Level::kInfo, "request",
               {{"request_id", id}, {"what", subject}, {"who", who}, {"status", cat(status)}, {"us", cat(micros)}});
    // What MCP's calls do is recorded where it is done, by its own name.
    const bool told = route != nullptr && route->path == kMcpPath;
    if (status == 401) {
      core_.audit->denied();
    } else if (route != nullptr && (!asks || talks) && !told) {
      core_.audit->record({subject, who, id, status});
    }
  }

  asio::awaitable<bool> deliver(Response response, bool keep_alive, const std::string& id) {
    if (response.upgrade) {
      co_await become_frames(std::move(response), id);
      co_return false;
    }
    if (!response.source || head_only_) co_return co_await write_plain(response, keep_alive, id);
    auto head = make_head<http::empty_body>(response, keep_alive, id);
    head.chunked(true);
    http::response_serializer<http::empty_body> serializer(head);
    arm_write_timer();
    const auto [ec, size] = co_await http::async_write_header(stream_, serializer, kAwait);
    if (ec) co_return false;
    const bool whole = co_await stream_body(core_, stream_, *response.source);
    co_return whole&& keep_alive;
  }

  // Takes the body away.
  asio::awaitable<bool> write_plain(Response& response, bool keep_alive, const std::string& id) {
    if (head_only_) co_return co_await write_head(response, keep_alive, id);
    auto message = make_head<http::string_body>(response, keep_alive, id);
    message.body() = std::move(response.body);
    message.prepare_payload();
    make_room(message.body().size());
    arm_write_timer();
    const auto [ec, size] = co_await http::async_write(stream_, message, kAwait);
    co_return !ec && keep_alive;
  }

  // The answer to HEAD has no body, whatever its head tells of one: who asked takes the next byte for the next answer
  // (RFC 9110 section 9.3.2).
  asio::awaitable<bool> write_head(const Response& response, bool keep_alive, const std::string& id) {
    auto head = make_head<http::empty_body>(response, keep_alive, id);
    if (response.length) {
      head.content_length(*response.length);
    } else if (!response.body.empty()) {
      head.content_length(response.body.size());
    }
    arm_write_timer();
    const auto [ec, size] = co_await http::async_write(stream_, head, kAwait);
    co_return !ec && keep_alive;
  }

  asio::awaitable<void> become_frames(Response response, const std::string& id) {
    http::response<http::empty_body> head{http::status::switching_protocols, 11};
    head.set(http::field::connection, "Upgrade");
    head.set(http::field::upgrade, "skerry-frames");
    head.set("X-Request-Id", id);
    for (const auto& [name, value] : response.headers) head.insert(name, value);
    arm_write_timer();
    const auto [ec, size] = co_await http::async_write(stream_, head, kAwait);
    if (ec) co_return;
    const auto data = buffer_.data();
    std::string early(static_cast<const char*>(data.data()), data.size());
    buffer_.clear();
    co_await relay_frames(core_, stream_, std::move(early), std::move(*response.upgrade));
  }

  template <typename Body>
  http::response<Body> make_head(const Response& response, bool keep_alive, const std::string& id) {
    http::response<Body> head{static_cast<http::status>(response.status), 11};
    if (!response.content_type.empty()) head.set(http::field::content_type, response.content_type);
    head.set(http::field::cache_control, "no-store");
    if (!id.empty()) head.set("X-Request-Id", id);
    for (const auto& [name, value] : response.headers) head.insert(name, value);
    head.keep_alive(keep_alive);
    return head;
  }

  // A large answer goes into the socket at once. In pieces of the usual buffer (208 KiB) each would wait until the
  // client has had its turn on the processor; on a busy host that is most of the time a long list takes.
  void make_room(std::size_t size) {
    if (size <= room_ || size > kMaxRoom) return;
    // The kernel doubles it, for its own needs (socket(7)). Not granted: as usual.
    const int wanted = static_cast<int>(size);
    const int socket = stream_.socket().native_handle();
    if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) == 0) room_ = size;
  }

  void arm_write_timer() {
    stream_.expires_after(std::chrono::duration_cast<std::chrono::milliseconds>(core_.config.write_timeout));
  }

  Core& core_;
  Stream stream_;
  std::optional<Result<Caller>> local_;
  beast::flat_buffer buffer_;
  bool known_ = local_.has_value();  // it has shown who it is
  bool head_only_ = false;           // the request under way is a HEAD
  std::size_t room_ = kUsualRoom;    // in the socket for what is sent
};

}  // namespace

asio::awaitable<void> serve_connection(Core& core, Stream stream, std::optional<Result<Caller>> local) {
  const int socket = stream.socket().native_handle();
  const auto entry = core.sockets.insert(socket);
  Session session(core, std::move(stream), std::move(local));
  co_await session.run();
  core.sockets.erase(entry);
}

}  // namespace skerry::api
