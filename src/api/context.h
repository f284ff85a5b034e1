// What every handler works with.
#pragma once

#include "api/event_hub.h"
#include "api/metrics.h"
#include "api/server.h"
#include "api/token_store.h"
#include "base/clock.h"

namespace skerry::api {

struct Context {
  const ApiConfig& config;
  ApiPorts ports;
  EventHub& events;
  TokenStore& tokens;
  Metrics& metrics;
  MonoTime started;
};

}  // namespace skerry::api
