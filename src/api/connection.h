// A connection: reads requests one after the other, has them answered, writes the answers. One coroutine, on the I/O
// thread.
#pragma once

#include <memory>
#include <optional>

#include "api/asio.h"
#include "api/core.h"

namespace skerry::api {

// Serves the connection to its end. `local` is who it is on a unix socket; unset on TCP, where headers say it.
asio::awaitable<void> serve_connection(Core& core, Stream stream, std::optional<Result<Caller>> local);

// Streams a body in chunks until it ends, the client goes away or the writing takes too long. True: it came to its end.
asio::awaitable<bool> stream_body(Core& core, Stream& stream, BodySource& source);

// Relays frames between the client (session 0) and the peer until one of them ends. `early` is what the client sent
// behind its request.
asio::awaitable<void> relay_frames(Core& core, Stream& stream, std::string early, Upgrade upgrade);

// The same over a WebSocket, which `request` asks for.
asio::awaitable<void> relay_websocket(asio::io_context& io, Stream& stream,
                                      const http::request<http::string_body>& request, const std::string& id,
                                      Upgrade upgrade);

}  // namespace skerry::api
