// What every handler works with.
#pragma once

#include "api/audit.h"
#include "api/environment_documents.h"
#include "api/event_hub.h"
#include "api/exec_calls.h"
#include "api/mcp.h"
#include "api/metrics.h"
#include "api/server.h"
#include "api/token_store.h"
#include "base/clock.h"

namespace skerry::api {

struct Context {
  const ApiConfig& config;
  ApiPorts ports;
  EventHub& events;
  EnvironmentDocuments& documents;
  TokenStore& tokens;
  Metrics& metrics;
  AuditTrail& audit;
  McpCalls& mcp;
  ExecCalls& execs;
  MonoTime started;
};

}  // namespace skerry::api
