#include "api/core.h"

#include <exception>

#include "base/log.h"

namespace skerry::api {
namespace {

// One answer on its way from any thread to the I/O thread. `Handler` owns the waiting coroutine.
template <typename T, typename Handler>
class Pending {
 public:
  Pending(std::shared_ptr<Core> core, Handler handler, T otherwise)
      : core_(std::move(core)), handler_(std::move(handler)), otherwise_(std::move(otherwise)) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() { complete(std::move(otherwise_)); }

  // The first call counts.
  void complete(T value) {
    if (done_.exchange(true)) return;
    asio::post(core_->io, [handler = std::move(handler_), value = std::move(value)]() mutable {
      std::move(handler)(std::move(value));
    });
  }

 private:
  std::shared_ptr<Core> core_;
  std::atomic<bool> done_{false};
  Handler handler_;
  T otherwise_;
};

// Starts `begin(complete)` on a worker; the coroutine goes on when `complete(value)` was called, or `let_go(value)`.
template <typename T, typename Begin>
asio::awaitable<T> on_worker(std::shared_ptr<Core> core, T otherwise, Begin begin,
                             std::shared_ptr<std::function<void(T)>> let_go = nullptr) {
  auto initiate = [let_go = std::move(let_go)](auto handler, std::shared_ptr<Core> shared, T fallback, Begin work) {
    using Handler = decltype(handler);
    auto* raw = shared.get();
    auto pending = std::make_shared<Pending<T, Handler>>(std::move(shared), std::move(handler), std::move(fallback));
    if (let_go) {
      // Not one that holds it: then nobody would see that all who could answer have dropped it.
      *let_go = [weak = std::weak_ptr(pending)](T value) {
        if (const auto still = weak.lock()) still->complete(std::move(value));
      };
    }
    asio::post(raw->workers, [raw, pending = std::move(pending), work = std::move(work)]() mutable {
      if (raw->stopping) return;  // answered with the fallback
      try {
        auto complete = [pending](T value) { pending->complete(std::move(value)); };
        pending.reset();
        work(std::move(complete));
      } catch (const std::exception& problem) {
        log::error("a request handler threw", {{"what", problem.what()}});
      }
    });
  };
  return asio::async_initiate<decltype(asio::use_awaitable), void(T)>(
      std::move(initiate), asio::use_awaitable, std::move(core), std::move(otherwise), std::move(begin));
}

}  // namespace

asio::awaitable<Result<Response>> call_handler(Core& core, const Route& route, Request request, LetGo let_go) {
  Result<Response> unanswered = fail(ErrorCode::kInternal, "the request was not answered", "see the daemon's log");
  auto* context = &core.context;
  auto begin = [context, &route, request = std::move(request)](auto complete) mutable {
    route.handler(*context, std::move(request), std::move(complete));
  };
  return on_worker<Result<Response>>(core.shared_from_this(), std::move(unanswered), std::move(begin),
                                     std::move(let_go));
}

asio::awaitable<Result<std::optional<std::string>>> next_piece(Core& core, BodySource& source) {
  using Piece = Result<std::optional<std::string>>;
  Piece broken = fail(ErrorCode::kInternal, "the stream broke");
  return on_worker<Piece>(core.shared_from_this(), std::move(broken),
                          [&source](const auto& complete) { complete(source.next()); });
}

asio::awaitable<Result<std::optional<Response>>> look_once(Core& core, const Later& later) {
  using Seen = Result<std::optional<Response>>;
  Seen broken = fail(ErrorCode::kInternal, "the answer did not come");
  auto begin = [look = later.look](const auto& complete) { complete(look()); };
  return on_worker<Seen>(core.shared_from_this(), std::move(broken), std::move(begin));
}

asio::awaitable<void> settled(Core& core, const Upgrade& upgrade) {
  auto begin = [settle = upgrade.settle](const auto& complete) { settle([complete] { complete(true); }); };
  co_await on_worker<bool>(core.shared_from_this(), false, std::move(begin));
}

}  // namespace skerry::api
