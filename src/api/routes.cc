// The one table of routes.
#include <vector>

#include "api/handlers.h"
#include "api/mcp.h"
#include "api/route.h"

namespace skerry::api {
namespace {

// Of every list; what a route knows besides is a filter: a field of its documents (find.h).
#define SKERRY_LIST "limit offset sort order"
constexpr std::string_view kEnvironmentQuery = SKERRY_LIST " state isolation kind zone plugin deployment image label";

// The verbs of an environment, below /api/v1/environments and again below /api/v1/vms.
struct VerbRoute {
  std::string_view method;
  std::string_view environments;
  std::string_view vms;
  Role role;
  Handler handler;
  std::string_view summary;
  int status;
  std::string_view request;
  std::string_view response;
  std::string_view query;
  std::string_view media = "application/json";
};

#define SKERRY_BOTH(rest) "/api/v1/environments" rest, "/api/v1/vms" rest

constexpr VerbRoute kEnvironmentRoutes[] = {
    {"GET", SKERRY_BOTH(""), Role::kViewer, plain<list_environments>, "List environments", 200, "", "[]Environment",
     kEnvironmentQuery},
    {"POST", SKERRY_BOTH(""), Role::kOperator, create_environment,
     "Create an environment and start it. With \"Upgrade: skerry-frames\" the connection becomes its standard streams",
     201, "CreateEnvironment", "Environment", ""},
    {"GET", SKERRY_BOTH("/{name}"), Role::kViewer, plain<show_environment>, "Show an environment", 200, "",
     "Environment", ""},
    {"PATCH", SKERRY_BOTH("/{name}"), Role::kOperator, update_environment, "Change its resources", 200, "Resources",
     "Environment", ""},
    {"DELETE", SKERRY_BOTH("/{name}"), Role::kOperator, delete_environment, "Delete it; with force also when it runs",
     204, "", "", "force grace_ms"},
    {"POST", SKERRY_BOTH("/{name}/start"), Role::kOperator, start_environment,
     "Start it; with wait answer when it is healthy", 200, "Start", "Environment", ""},
    {"POST", SKERRY_BOTH("/{name}/stop"), Role::kOperator, stop_environment, "Stop it, by force after grace_ms", 200,
     "Grace", "Environment", ""},
    {"POST", SKERRY_BOTH("/{name}/restart"), Role::kOperator, restart_environment, "Stop it and start it again", 200,
     "Grace", "Environment", ""},
    {"POST", SKERRY_BOTH("/{name}/pause"), Role::kOperator, pause_environment, "Freeze it in memory", 200, "",
     "Environment", ""},
    {"POST", SKERRY_BOTH("/{name}/resume"), Role::kOperator, resume_environment, "Thaw it", 200, "", "Environment", ""},
    {"POST", SKERRY_BOTH("/{name}/suspend"), Role::kOperator, suspend_environment, "Freeze it to disk", 200, "",
     "Environment", ""},
    {"GET", SKERRY_BOTH("/{name}/snapshots"), Role::kViewer, plain<environment_snapshots>, "Its snapshots", 200, "",
     "[]Snapshot", SKERRY_LIST " memory"},
    {"POST", SKERRY_BOTH("/{name}/snapshots"), Role::kOperator, take_snapshot,
     "Keep it as it is at this moment, disk and memory, under a name", 201, "TakeSnapshot", "Snapshot", ""},
    {"POST", SKERRY_BOTH("/{name}/clone"), Role::kOperator, fork_environment,
     "Make another one that goes on from here, with an identity of its own", 201, "Fork", "Environment", ""},
    {"GET", SKERRY_BOTH("/{name}/actions"), Role::kViewer, plain<list_actions>, "What its workload can be asked", 200,
     "", "[]Action", SKERRY_LIST " method"},
    {"POST", SKERRY_BOTH("/{name}/actions/{action}"), Role::kOperator, call_action,
     "Ask its workload: the body goes to it, its answer comes back in a document", 200, "", "ActionResult", ""},
    {"POST", SKERRY_BOTH("/{name}/kill"), Role::kOperator, kill_environment, "Send its main process a signal", 200,
     "Kill", "Environment", ""},
    {"POST", SKERRY_BOTH("/{name}/wait"), Role::kViewer, wait_environment, "Answer when its run is over", 200, "",
     "Environment", ""},
    {"POST", SKERRY_BOTH("/{name}/exec"), Role::kOperator, exec_environment,
     "Run a command inside: its output as a document, or with \"Upgrade: skerry-frames\" a conversation", 200, "Exec",
     "ExecResult", ""},
    {"POST", SKERRY_BOTH("/{name}/copy"), Role::kOperator, copy_environment,
     "Files in or out as a tar, the standard input or output of a conversation; needs \"Upgrade: skerry-frames\"", 101,
     "Copy", "", ""},
    {"POST", SKERRY_BOTH("/{name}/attach"), Role::kOperator, plain<attach_environment>,
     "Its standard streams, or with serial its serial line, from now on; needs \"Upgrade: skerry-frames\"", 101, "", "",
     "serial"},
    {"GET", SKERRY_BOTH("/{name}/console"), Role::kOperator, plain<open_console>,
     "Its terminal, or with serial its serial line, over a WebSocket: binary messages are bytes, a text message "
     "{columns, rows} resizes",
     101, "", "", "serial"},
    {"GET", SKERRY_BOTH("/{name}/logs"), Role::kViewer, plain<environment_logs>,
     "What it wrote; with follow also what it will write", 200, "", "", "follow tail since format",
     "text/plain application/x-ndjson"},
    {"GET", SKERRY_BOTH("/{name}/stats"), Role::kViewer, plain<environment_stats>, "What it uses", 200, "", "Stats",
     ""},
};
#undef SKERRY_BOTH

constexpr Route kOtherRoutes[] = {
    {"GET", "/healthz", Role::kNobody, plain<show_health>, "Whether the daemon serves", 200, "", "Health", ""},
    {"GET", "/openapi.json", Role::kNobody, plain<show_openapi>, "This description", 200, "", "", ""},
    {"GET", "/schemas/plugin-manifest.json", Role::kNobody, plain<show_manifest_schema>,
     "The JSON Schema of plugin manifests", 200, "", "", "", "application/schema+json"},
    {"GET", "/metrics", Role::kViewer, plain<show_metrics>, "Counters in the Prometheus text format", 200, "", "", "",
     "text/plain"},
    {"GET", "/api/v1/system", Role::kViewer, plain<show_system>, "Version, what this host can do, counts", 200, "",
     "System", ""},

    {"GET", "/api/v1/images", Role::kViewer, plain<list_images>, "List images", 200, "", "[]Image",
     SKERRY_LIST " name id digest"},
    {"POST", "/api/v1/images", Role::kOperator, plain<pull_image>, "Pull an image (an operation)", 202, "Pull",
     "Operation", ""},
    {"POST", "/api/v1/images/push", Role::kAdmin, plain<push_image>, "Send an image to a registry (an operation)", 202,
     "Push", "Operation", ""},
    {"POST", "/api/v1/images/load", Role::kAdmin, plain<load_image>, "Load an archive of this host (an operation)", 202,
     "Archive", "Operation", ""},
    {"POST", "/api/v1/images/import", Role::kAdmin, plain<import_image>,
     "Make an image of a root file system's tar on this host (an operation)", 202, "Import", "Operation", ""},
    {"POST", "/api/v1/images/save", Role::kAdmin, plain<save_image>, "Save to an archive (an operation)", 202,
     "Archive", "Operation", ""},
    {"POST", "/api/v1/images/build", Role::kAdmin, plain<build_image>,
     "Make a disk or an initramfs from a build file of this host (an operation)", 202, "BuildImage", "Operation", ""},
    {"POST", "/api/v1/images/tag", Role::kAdmin, plain<tag_image>, "Give an image one more name", 204, "Tag", "", ""},
    {"POST", "/api/v1/images/prune", Role::kAdmin, plain<prune_images>, "Remove nameless images nobody uses", 200, "",
     "Removed", ""},
    {"GET", "/api/v1/images/{reference*}", Role::kViewer, plain<show_image>, "Show an image", 200, "", "ImageDetail",
     ""},
    {"DELETE", "/api/v1/images/{reference*}", Role::kAdmin, plain<remove_image>, "Remove an image", 200, "", "Removed",
     ""},

    {"GET", "/api/v1/kernels", Role::kViewer, plain<list_kernels>, "List the kernels that microVMs can boot", 200, "",
     "[]Kernel", SKERRY_LIST " release origin chosen"},
    {"POST", "/api/v1/kernels", Role::kAdmin, plain<add_kernel>, "Add a kernel of this host's files (an operation)",
     202, "AddKernel", "Operation", ""},
    {"POST", "/api/v1/kernels/build", Role::kAdmin, plain<build_kernel>,
     "Build a small kernel from the distribution's source (an operation)", 202, "BuildKernel", "Operation", ""},
    {"POST", "/api/v1/kernels/choose", Role::kAdmin, plain<choose_kernel>,
     "Choose what microVMs boot from their next start on; without a name the distribution's newest", 204,
     "ChooseKernel", "", ""},
    {"DELETE", "/api/v1/kernels/{name}", Role::kAdmin, plain<remove_kernel>, "Remove a kernel", 204, "", "", ""},

    {"GET", "/api/v1/events", Role::kViewer, plain<list_events>,
     "The event log, followed as server-sent events; a list for who accepts application/json and no stream", 200, "",
     "[]Event", "after limit type resource", "application/json text/event-stream"},

    {"GET", "/api/v1/operations", Role::kViewer, plain<list_operations>, "List long work", 200, "", "[]Operation",
     SKERRY_LIST " kind subject state"},
    {"GET", "/api/v1/operations/{id}", Role::kViewer, plain<show_operation>, "Show an operation", 200, "", "Operation",
     ""},
    {"GET", "/api/v1/operations/{id}/watch", Role::kViewer, plain<watch_operation>,
     "Its document, a line for each change, until it has ended", 200, "", "", "", "application/x-ndjson"},
    {"DELETE", "/api/v1/operations/{id}", Role::kOperator, plain<cancel_operation>, "Ask it to stop", 200, "",
     "Operation", ""},

    {"GET", "/api/v1/plugins", Role::kViewer, plain<list_plugins>, "List plugins", 200, "", "[]Plugin",
     SKERRY_LIST " name version runtime enabled default"},
    {"POST", "/api/v1/plugins", Role::kAdmin, plain<install_plugin>, "Install a plugin: its manifest", 201, "Manifest",
     "Plugin", "background"},
    {"GET", "/api/v1/plugins/{name}", Role::kViewer, plain<show_plugin>, "Show a plugin", 200, "", "Plugin", ""},
    {"GET", "/api/v1/plugins/{name}/manifest", Role::kViewer, plain<show_manifest>, "Its manifest as installed", 200,
     "", "Manifest", ""},
    {"POST", "/api/v1/plugins/{name}/enable", Role::kAdmin, plain<enable_plugin>, "Let environments be made from it",
     200, "", "Plugin", ""},
    {"POST", "/api/v1/plugins/{name}/disable", Role::kAdmin, plain<disable_plugin>, "Refuse new environments of it",
     200, "", "Plugin", ""},
    {"DELETE", "/api/v1/plugins/{name}", Role::kAdmin, plain<remove_plugin>, "Remove a plugin nobody uses, or by force",
     204, "", "", "force"},

    {"GET", "/api/v1/deployments", Role::kViewer, plain<list_deployments>, "List deployments", 200, "", "[]Deployment",
     SKERRY_LIST " plugin plugin_version rolling"},
    {"POST", "/api/v1/deployments", Role::kOperator, plain<create_deployment>, "Keep a number of replicas", 201,
     "CreateDeployment", "Deployment", ""},
    {"GET", "/api/v1/deployments/{name}", Role::kViewer, plain<show_deployment>, "Show a deployment", 200, "",
     "Deployment", ""},
    {"PATCH", "/api/v1/deployments/{name}", Role::kOperator, plain<change_deployment>,
     "Change its number of replicas, or their configuration", 200, "ChangeDeployment", "Deployment", ""},
    {"POST", "/api/v1/deployments/{name}/rollback", Role::kOperator, plain<roll_back_deployment>,
     "Go back to what it ran before the last update", 200, "", "Deployment", ""},
    {"DELETE", "/api/v1/deployments/{name}", Role::kOperator, plain<delete_deployment>,
     "Delete it and, in the background, its replicas", 204, "", "", ""},

    {"GET", "/api/v1/snapshots", Role::kViewer, plain<list_snapshots>, "List snapshots", 200, "", "[]Snapshot",
     SKERRY_LIST " environment zone image plugin memory"},
    {"GET", "/api/v1/snapshots/{name}", Role::kViewer, plain<show_snapshot>, "Show a snapshot", 200, "", "Snapshot",
     ""},
    {"POST", "/api/v1/snapshots/{name}/restore", Role::kOperator, restore_snapshot,
     "Make the stopped environment it was taken of what it was then", 200, "", "Environment", ""},
    {"POST", "/api/v1/snapshots/{name}/clone", Role::kOperator, fork_snapshot,
     "Make another environment that goes on from there, with an identity of its own", 201, "Fork", "Environment", ""},
    {"DELETE", "/api/v1/snapshots/{name}", Role::kOperator, plain<remove_snapshot>, "Remove a snapshot", 204, "", "",
     ""},

    {"POST", kMcpPath, Role::kViewer, serve_mcp,
     "A message of the Model Context Protocol: the answer, or a stream of events", 200, "", "", ""},
    {"DELETE", kMcpPath, Role::kViewer, plain<end_mcp_session>, "End a session of the Model Context Protocol", 204, "",
     "", ""},

    {"GET", "/api/v1/zones", Role::kViewer, plain<list_zones>, "List zones", 200, "", "[]Zone",
     SKERRY_LIST " colour egress isolated"},
    {"POST", "/api/v1/zones", Role::kAdmin, plain<create_zone>, "Make a zone: its bridge, subnet and rules", 201,
     "CreateZone", "Zone", ""},
    {"GET", "/api/v1/zones/{name}", Role::kViewer, plain<show_zone>, "Show a zone", 200, "", "Zone", ""},
    {"DELETE", "/api/v1/zones/{name}", Role::kAdmin, plain<remove_zone>, "Remove a zone that nothing uses", 204, "", "",
     ""},

    {"GET", "/api/v1/policy", Role::kViewer, plain<show_policy>, "The rules that hold, in their order", 200, "",
     "Policy", ""},
    {"GET", "/api/v1/policy/check", Role::kViewer, plain<check_policy>,
     "The rules as their files are now, and what is wrong with them", 200, "", "Policy", ""},
    {"GET", "/api/v1/policy/explain", Role::kViewer, plain<explain_policy>,
     "Why one may, or may not, ask this of another", 200, "", "PolicyDecision", "source target service argument"},
    {"POST", "/api/v1/policy/reload", Role::kAdmin, plain<reload_policy>, "Let the rules hold as their files are now",
     200, "", "Policy", ""},

    {"GET", "/api/v1/tokens", Role::kAdmin, plain<list_tokens>, "List tokens", 200, "", "[]Token", SKERRY_LIST " role"},
    {"POST", "/api/v1/tokens", Role::kAdmin, plain<create_token>, "Make a token; its secret is told once", 201,
     "CreateToken", "NewToken", ""},
    {"DELETE", "/api/v1/tokens/{name}", Role::kAdmin, plain<revoke_token>, "Revoke a token", 204, "", "", ""},
};

// Of a workload alone HEAD can be asked: what it may say of its own resources is its matter.
constexpr std::string_view kAnyMethod[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
constexpr std::string_view kWorkloads[] = {"/api/v1/environments/{name}/agent",
                                           "/api/v1/environments/{name}/agent/{path**}", "/api/v1/vms/{name}/agent",
                                           "/api/v1/vms/{name}/agent/{path**}"};

std::vector<Route> build() {
  std::vector<Route> all(std::begin(kOtherRoutes), std::end(kOtherRoutes));
  for (const auto& each : kEnvironmentRoutes) {
    for (const auto path : {each.environments, each.vms}) {
      all.push_back({each.method, path, each.role, each.handler, each.summary, each.status, each.request, each.response,
                     each.query, each.media});
    }
  }
  for (const auto path : kWorkloads) {
    for (const auto method : kAnyMethod) {
      all.push_back({method, path, Role::kOperator, ask_workload, "Its workload's own HTTP, below its base_url", 200,
                     "", "", "", "*/*"});
    }
  }
  return all;
}

}  // namespace

std::span<const Route> routes() {
  static const std::vector<Route> all = build();
  return all;
}

}  // namespace skerry::api
