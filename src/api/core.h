// Core: what all connections of a server share. For the .cc files that move bytes.
//
// Coroutines refer to it plainly (they live in its io_context and go with it); answers on their way share it, so that
// one that comes after the end finds something to fall into.
#pragma once

#include <atomic>
#include <memory>
#include <set>

#include "api/asio.h"
#include "api/audit.h"
#include "api/body_budget.h"
#include "api/context.h"
#include "api/metrics.h"
#include "api/request_id.h"
#include "api/route.h"
#include "api/tls.h"

namespace skerry::api {

inline constexpr std::uint64_t kMaxBodiesInMemory = 128U << 20U;

struct Core : std::enable_shared_from_this<Core> {
  Core(ApiConfig settings, const ApiPorts& ports, std::unique_ptr<TokenStore> token_store,
       std::unique_ptr<AuditTrail> trail, std::unique_ptr<TlsFront> front)
      : config(std::move(settings)),
        events(ports.store),
        tokens(std::move(token_store)),
        audit(std::move(trail)),
        tls(std::move(front)),
        mcp(ports.clock),
        execs(ports.clock),
        context{config, ports, events, documents, *tokens, metrics, *audit, mcp, execs, ports.clock.monotonic()},
        workers(config.workers) {}

  const ApiConfig config;
  EventHub events;
  EnvironmentDocuments documents;
  const std::unique_ptr<TokenStore> tokens;
  const std::unique_ptr<AuditTrail> audit;
  const std::unique_ptr<TlsFront> tls;  // null: TCP is plain
  Metrics metrics;
  McpCalls mcp;
  ExecCalls execs;
  Context context;
  BodyBudget bodies{kMaxBodiesInMemory};
  std::atomic<std::size_t> local_connections{0};
  std::atomic<std::size_t> tcp_connections{0};
  std::multiset<int> sockets;  // of the connections; I/O thread only
  RequestIds request_ids;
  // What still waits for a worker is dropped. (Stopping the pool would keep it, and it keeps the core.)
  std::atomic<bool> stopping{false};
  asio::thread_pool workers;
  // Destroyed first: with it go the coroutines, which refer to everything above.
  asio::io_context io{1};
};

// Runs the route's handler on a worker and completes with its answer on the I/O thread. A handler that forgets to
// answer (drops its Reply) counts as one that failed. `let_go` is set to what answers instead, at any time, on the I/O
// thread.
using LetGo = std::shared_ptr<std::function<void(Result<Response>)>>;
asio::awaitable<Result<Response>> call_handler(Core& core, const Route& route, Request request, LetGo let_go);

// Run on a worker, give their value on the I/O thread.
asio::awaitable<Result<std::optional<Response>>> look_once(Core& core, const Later& later);
asio::awaitable<Result<std::optional<std::string>>> next_piece(Core& core, BodySource& source);
asio::awaitable<void> settled(Core& core, const Upgrade& upgrade);

}  // namespace skerry::api
