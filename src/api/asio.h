// The parts of Boost.Asio and Beast that the sessions use. Heavy: for the few .cc files that move bytes.
#pragma once

// g++ 12: Asio's awaitable uses std::exchange without including it.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <utility>

namespace skerry::api {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

// Unix and TCP connections alike.
using Stream = beast::basic_stream<asio::generic::stream_protocol>;
// Errors as values: co_await gives (error_code, result…).
inline constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

}  // namespace skerry::api
