#include "api/server.h"

#include <grp.h>
#include <sys/socket.h>

#include <thread>
#include <utility>

#include "api/authorise.h"
#include "api/connection.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "base/unix_socket.h"

namespace skerry::api {
namespace {

constexpr mode_t kSocketMode = 0660;
// After an accept that failed for want of descriptors or memory.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

Status give_to_group(const std::string& path, const std::string& group) {
  if (group.empty()) return {};
  std::vector<char> buffer(16384);
  struct group entry{};
  struct group* found = nullptr;
  if (::getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    log::debug("the socket stays root's alone: there is no such group", {{"group", group}});
    return {};
  }
  return sys::chown(path, static_cast<uid_t>(-1), entry.gr_gid);
}

Result<asio::ip::tcp::endpoint> parse_listen(const std::string& text, bool encrypted) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, cat("listen address \"", text, "\": ", why), "for example 127.0.0.1:8080");
  };
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return wrong("it has no port");
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto port = parse_int<std::uint16_t>(std::string_view(text).substr(colon + 1), "port");
  beast::error_code ec;
  const auto address = asio::ip::make_address(host, ec);
  if (!port || ec) return wrong("it is no address and port");
  if (!address.is_loopback() && !encrypted) {
    return wrong("only loopback addresses without TLS: tokens must not cross a network in the clear");
  }
  return asio::ip::tcp::endpoint(address, *port);
}

// Accepts until the acceptor is closed; `begin` gets each connection unless there are as many `connections` as may be.
template <typename Acceptor, typename Begin>
asio::awaitable<void> accept_loop(Core& core, Acceptor& acceptor, const std::atomic<std::size_t>& connections,
                                  Begin begin) {
  asio::steady_timer pause(core.io);
  while (acceptor.is_open()) {
    auto [ec, socket] = co_await acceptor.async_accept(kAwait);
    if (ec == asio::error::operation_aborted || !acceptor.is_open()) co_return;
    if (ec) {
      log::warning("accept", {{"error", ec.message()}});
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kAwait);
      continue;
    }
    if (connections >= core.config.max_connections) {
      ++core.metrics.refused_connections;
      continue;  // closes it
    }
    begin(std::move(socket));
  }
}

// Ends the connections, gives them a moment to leave their coroutines in good order, and stops the I/O thread. Those
// that wait for a handler or for an operation's end are cut off.
asio::awaitable<void> wind_down(Core& core) {
  for (const int socket : core.sockets) ::shutdown(socket, SHUT_RDWR);
  asio::steady_timer timer(core.io);
  for (int round = 0; round < 100 && core.local_connections + core.tcp_connections > 0; ++round) {
    timer.expires_after(std::chrono::milliseconds(2));
    co_await timer.async_wait(kAwait);
  }
  core.io.stop();
}

// Strangers on TCP have a number of connections of their own: they cannot use up those of the unix socket.
void start_connection(Core& core, Stream::socket_type socket, std::optional<Result<Caller>> local) {
  auto& connections = local ? core.local_connections : core.tcp_connections;
  ++connections;
  asio::co_spawn(core.io, serve_connection(core, Stream(std::move(socket)), std::move(local)),
                 [&connections](const std::exception_ptr& problem) {
                   --connections;
                   if (!problem) return;
                   try {
                     std::rethrow_exception(problem);
                   } catch (const std::exception& what) {
                     log::error("a connection ended by an exception", {{"what", what.what()}});
                   }
                 });
}

void begin_local(Core& core, asio::local::stream_protocol::socket socket) {
  Result<Caller> caller = fail(ErrorCode::kPermissionDenied, "the peer is not known");
  if (const auto peer = peer_credentials(socket.native_handle()); peer) {
    caller = caller_of_socket(socket.native_handle(), *peer, core.config.socket_group);
  }
  start_connection(core, Stream::socket_type(std::move(socket)), std::move(caller));
}

void begin_tcp(Core& core, asio::ip::tcp::socket socket) {
  beast::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  if (!core.tls) return start_connection(core, Stream::socket_type(std::move(socket)), std::nullopt);
  auto carried =
      core.tls->serve({core.io, core.config, core.metrics}, std::move(socket),
                      [&core](Stream::socket_type inner) { start_connection(core, std::move(inner), std::nullopt); });
  asio::co_spawn(core.io, std::move(carried), asio::detached);
}

}  // namespace

struct ApiServer::State {
  explicit State(std::shared_ptr<Core> shared) : core(std::move(shared)), local(core->io), tcp(core->io) {}

  Status listen_local();
  Status listen_tcp();

  std::shared_ptr<Core> core;
  asio::local::stream_protocol::acceptor local;
  asio::ip::tcp::acceptor tcp;
  EventFeed::Subscription subscription;
  std::thread thread;
  bool stopped = false;
};

Status ApiServer::State::listen_local() {
  const auto& path = core->config.socket_path;
  if (path.empty()) return {};
  Fd listener = TRY(unix_listen(path, kSocketMode));
  TRY(give_to_group(path, core->config.socket_group));
  beast::error_code ec;
  local.assign(asio::local::stream_protocol(), listener.release(), ec);
  if (ec) return fail(ErrorCode::kIo, cat("listen on ", path, ": ", ec.message()));
  return {};
}

Status ApiServer::State::listen_tcp() {
  const auto& text = core->config.listen;
  if (text.empty() || text == "none") return {};
  const auto endpoint = TRY(parse_listen(text, core->tls != nullptr));
  beast::error_code ec;
  tcp.open(endpoint.protocol(), ec);
  if (!ec) tcp.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) tcp.bind(endpoint, ec);
  if (!ec) tcp.listen(asio::socket_base::max_listen_connections, ec);
  if (ec) {
    auto error = Error::from_errno(ec.value(), cat("listen on ", text));
    return fail(std::move(error).with_hint("choose another address with --listen, or --listen none"));
  }
  return {};
}

Result<std::unique_ptr<ApiServer>> ApiServer::create(ApiConfig config, ApiPorts ports) {
  auto tokens = TRY(TokenStore::open(config.tokens_path));
  auto trail = TRY(AuditTrail::open(config.audit_path, ports.clock));
  std::unique_ptr<TlsFront> tls;
  if (config.tls) {
    tls = TRY(TlsFront::create(*config.tls));
    config.hosts.insert(config.hosts.end(), tls->names().begin(), tls->names().end());
  }
  auto core = std::make_shared<Core>(std::move(config), ports, std::move(tokens), std::move(trail), std::move(tls));
  auto state = std::make_unique<State>(core);
  TRY(state->listen_local());
  TRY(state->listen_tcp());
  core->events.ring(TRY(ports.store.last_event_id()));
  state->subscription = ports.feed.subscribe([hub = &core->events](std::uint64_t last_id) { hub->ring(last_id); });
  return std::unique_ptr<ApiServer>(new ApiServer(std::move(state)));
}

ApiServer::ApiServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

ApiServer::~ApiServer() { stop(); }

Status ApiServer::run() {
  auto& core = *state_->core;
  core.events.start();
  if (state_->local.is_open()) {
    asio::co_spawn(core.io,
                   accept_loop(core, state_->local, core.local_connections,
                               [&core](auto socket) { begin_local(core, std::move(socket)); }),
                   asio::detached);
  }
  if (state_->tcp.is_open()) {
    asio::co_spawn(core.io,
                   accept_loop(core, state_->tcp, core.tcp_connections,
                               [&core](auto socket) { begin_tcp(core, std::move(socket)); }),
                   asio::detached);
  }
  state_->thread = std::thread([&core] {
    const auto keep = asio::make_work_guard(core.io);
    try {
      core.io.run();
    } catch (const std::exception& problem) {
      log::error("the API's I/O thread ended", {{"what", problem.what()}});
    }
  });
  return {};
}

void ApiServer::stop() {
  if (std::exchange(state_->stopped, true)) return;
  auto& core = *state_->core;
  core.stopping = true;
  if (!core.config.socket_path.empty()) static_cast<void>(sys::unlink(core.config.socket_path));
  if (state_->thread.joinable()) {
    asio::post(core.io, [this, &core] {
      beast::error_code ec;
      state_->local.close(ec);
      state_->tcp.close(ec);
      asio::co_spawn(core.io, wind_down(core), asio::detached);
    });
    state_->thread.join();
  }
  core.events.stop();
  core.mcp.stop();
  core.execs.stop();
  core.workers.join();
}

std::uint16_t ApiServer::tcp_port() const {
  beast::error_code ec;
  const auto endpoint = state_->tcp.local_endpoint(ec);
  return ec ? std::uint16_t{0} : endpoint.port();
}

}  // namespace skerry::api
