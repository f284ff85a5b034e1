// The small request bodies of the API, and the same for its clients. An empty body stands for {}. Errors name the
// field.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/frame.h"
#include "base/result.h"
#include "core/service.h"
#include "core/snapshot.h"
#include "core/zone_plan.h"
#include "wire/copier_arguments.h"

namespace skerry::wire {

// POST …/exec. Without an upgrade to frames the command gets `stdin_text` and its output comes back as a document.
struct ExecRequest {
  std::vector<std::string> command;
  std::map<std::string, std::string> env;
  std::string workdir;
  std::string user;
  bool terminal = false;
  TerminalSize size;
  std::string stdin_text;
  std::uint32_t timeout_ms = 60'000;  // only without an upgrade
  bool operator==(const ExecRequest&) const = default;
};
Result<ExecRequest> parse_exec_request(std::string_view body);
std::string exec_request_json(const ExecRequest& request);

// POST …/copy: {"direction": "in" | "out", "path", "top", "follow", "owners", "xattrs", "sparse"}.
Result<CopyRequest> parse_copy_request(std::string_view body);
std::string copy_request_json(const CopyRequest& request);

// POST …/stop and …/restart, also DELETE: {"grace_ms"}.
Result<std::uint32_t> parse_grace(std::string_view body);
// POST …/start: {"wait": true} waits until it is healthy.
Result<bool> parse_start_request(std::string_view body);
// POST …/kill: {"signal": 15 | "TERM" | "SIGTERM"}; KILL when it does not say.
Result<int> parse_kill_request(std::string_view body);

// POST /images: {"reference", "insecure"}.
struct PullRequest {
  std::string reference;
  bool insecure = false;
};
Result<PullRequest> parse_pull_request(std::string_view body);

// POST /images/push: {"image", "target", "insecure"}. Without a target it goes where its name says.
struct PushRequest {
  std::string image;
  std::string target;
  bool insecure = false;
};
Result<PushRequest> parse_push_request(std::string_view body);

// POST /images/load and /images/save: {"path", "name"}; POST /images/tag: {"source", "name"}.
struct ArchiveRequest {
  std::string path;
  std::string name;
};
Result<ArchiveRequest> parse_archive_request(std::string_view body);
// POST /images/import: {"path", "name", "command"}: a tar of a root file system, and what runs in it.
struct ImportRequest {
  std::string path;
  std::string name;
  std::vector<std::string> command;
};
Result<ImportRequest> parse_import_request(std::string_view body);
struct TagRequest {
  std::string source;  // an image that there is
  std::string name;    // one more name for it
};
Result<TagRequest> parse_tag_request(std::string_view body);

// POST /images/build: {"path", "output", "signing_key", "insecure"}; the paths are of the daemon's host.
struct BuildImageRequest {
  std::string path;         // the build file
  std::string output;       // directory for what is made
  std::string signing_key;  // minisign secret key; empty: nothing is signed
  bool insecure = false;    // of the registry, as in a pull
};
Result<BuildImageRequest> parse_build_image_request(std::string_view body);

// POST /kernels: {"name", "path"}: a file of the daemon's host.
struct AddKernelRequest {
  std::string name;
  std::string path;
};
Result<AddKernelRequest> parse_add_kernel_request(std::string_view body);
// POST /kernels/build: {"name", "source", "config"}, each optional; the last two are files of the daemon's host.
struct BuildKernelRequest {
  std::string name;    // empty: by its release
  std::string source;  // linux-source-*.tar.xz; empty: Debian's package
  std::string config;  // a fragment; empty: Skerry's own
};
Result<BuildKernelRequest> parse_build_kernel_request(std::string_view body);
// POST /kernels/choose: {"name"}; without one: the distribution's newest, an empty text here.
Result<std::string> parse_choose_kernel_request(std::string_view body);

// POST /deployments: {"name", "plugin", "replicas", "config", "max_unavailable", "service"}; PATCH: any but the name.
// The configuration is a creation request without a name; here only its JSON text.
struct DeploymentRequest {
  std::string name;
  std::string plugin;
  std::string plugin_version;  // empty: the newest enabled one
  std::optional<std::uint32_t> replicas;
  std::optional<std::uint32_t> max_unavailable;
  std::optional<std::string> config_json;
  bool has_plugin = false;  // `plugin` was named
  // {"address", "ports"}: a virtual address; null: none (any more).
  std::optional<std::optional<ServiceSpec>> service;
};
Result<DeploymentRequest> parse_deployment_request(std::string_view body);
Result<DeploymentRequest> parse_deployment_change(std::string_view body);

// POST …/snapshots: {"name"}.
Result<std::string> parse_snapshot_request(std::string_view body);
// POST …/fork: {"name", "ports"}; ports as in a creation.
Result<ForkRequest> parse_fork_request(std::string_view body);

// POST /zones: {"name", "colour", "bridge", "subnet", "pool_first", "pool_last", "dns", "egress", "isolated",
// "default_policy": "deny"}.
Result<ZoneWish> parse_zone_request(std::string_view body);

// POST /tokens: {"name", "role", "zones"}.
struct TokenRequest {
  std::string name;
  std::string role = "viewer";
  std::vector<std::string> zones;
};
Result<TokenRequest> parse_token_request(std::string_view body);

}  // namespace skerry::wire
