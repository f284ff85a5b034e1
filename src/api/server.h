// ApiServer: the REST interface of skerryd, on a unix socket and on TCP (docs: /openapi.json).
//
//   socket ──▶ session (I/O thread) ──▶ route table ──▶ handler (worker thread) ──▶ Controller, Store, …
//     ▲            one coroutine a connection               │ Reply, from any thread
//     └──────── answer, stream or frames ◀──────────────────┘
//
// One I/O thread moves all bytes; handlers block on workers. Long waits (a start, a followed log, an event stream, a
// terminal) hold no thread. Every connection has limits: header 8 KiB, body 4 MiB, time for each, and a number of
// connections in all; a slow or silent client costs one descriptor until its time is up.
//
// Who may: on the unix socket root and the group (peer credentials) as admin. On TCP the bearer of a token, with its
// role; Host must name this server and Origin, if sent, must be it (no other site's page may use a browser to get
// here). TCP listens beyond loopback only with TLS.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/image_port.h"
#include "api/kernel_port.h"
#include "base/clock.h"
#include "base/result.h"
#include "control/controller.h"
#include "control/deployments.h"
#include "control/event_feed.h"
#include "control/operations.h"
#include "control/policy_book.h"
#include "control/snapshots.h"
#include "control/zones.h"
#include "store/store.h"

namespace skerry::api {

// For the TCP port (tls.h).
struct TlsFiles {
  std::string certificate;  // PEM: ours, then those between it and a root
  std::string key;          // PEM, readable by its owner alone
  std::string client_ca;    // PEM; "": clients need no certificate
};

struct ApiConfig {
  std::string socket_path;                             // "" for none
  std::string socket_group;                            // gets the socket, when it exists: "skerry"
  std::string listen;                                  // "127.0.0.1:8080"; "" or "none" for none. Port 0: any free one
  std::vector<std::string> hosts;                      // names besides its address that TCP clients may use in Host
  std::optional<TlsFiles> tls;                         // TCP speaks TLS, and may listen beyond loopback
  std::string tokens_path;                             // file of hashed tokens; "" for none
  std::string audit_path;                              // file that gets a line for every mutating call; "" for none
  PluginCheck check_plugin;                            // before one is installed; empty: all may be
  unsigned workers = 8;                                // threads for handlers
  std::size_t max_connections = 1024;                  // on each of the two sockets
  Duration idle_timeout = std::chrono::seconds(75);    // between requests
  Duration header_timeout = std::chrono::seconds(10);  // from a request's first byte to the end of its header
  Duration body_timeout = std::chrono::seconds(30);    // for the whole body
  Duration write_timeout = std::chrono::seconds(30);   // without any progress
};

// What it serves. All outlive it.
struct ApiPorts {
  Controller& controller;
  Operations& operations;
  ImagePort& images;
  Store& store;
  Clock& clock;
  EventFeed& feed;
  Deployments& deployments;
  Snapshots& snapshots;
  KernelPort& kernels;
  Zones& zones;
  PolicyBook& policy;
};

class ApiServer {
 public:
  // Listens (both sockets) but answers nobody before run(). kAlreadyExists when another daemon has the socket.
  static Result<std::unique_ptr<ApiServer>> create(ApiConfig config, ApiPorts ports);
  // Stops.
  ~ApiServer();
  ApiServer(const ApiServer&) = delete;
  ApiServer& operator=(const ApiServer&) = delete;

  // Starts the threads and returns.
  Status run();
  // Ends every connection and the threads. Safe to repeat.
  void stop();
  // The TCP port it listens on, 0 when it does not.
  [[nodiscard]] std::uint16_t tcp_port() const;

 private:
  struct State;
  explicit ApiServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skerry::api
