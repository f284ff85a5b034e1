// The verbs of the command line: what each does once its arguments are known. Nothing here knows how arguments are
// written (arguments*.cc) and nothing there what they do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/settings.h"

namespace skerry::cli {

// Which environments a verb speaks of: all (`skerry ls`) or VMs only (`skerry vms list`).
enum class Scope : std::uint8_t { kEnvironments, kVms };
// "/api/v1/environments" or "/api/v1/vms".
std::string_view path_of(Scope scope);

// run.cc ── what was given; unset: not said
struct RunOptions {
  std::string source;  // image
  std::vector<std::string> command;
  std::string config_path;
  std::optional<std::string> name, hostname, isolation, kind, zone, plugin, entrypoint, workdir, user, restart, seccomp;
  std::optional<std::string> cpu;
  std::optional<std::string> user_data;  // a file for cloud-init
  std::optional<std::uint32_t> memory_mb, pids;
  std::vector<std::string> env, env_files, volumes, tmpfs, ports, dns, labels, cap_add, cap_drop;
  bool remove = false, detach = false, interactive = false, terminal = false, read_only = false, user_namespace = false;
  bool new_privileges = false;
  std::string pull = "missing";
  bool insecure_pull = false;
  Scope scope = Scope::kEnvironments;
};
Outcome run(const Session& session, const RunOptions& options);
// Defines it without starting.
Outcome create(const Session& session, const RunOptions& options);
// `skerry vms create`: creates and starts; says "VM <name> created with IP <ip>".
Outcome create_vm(const Session& session, const RunOptions& options);

// lifecycle.cc
struct TargetOptions {
  std::vector<std::string> names;
  Scope scope = Scope::kEnvironments;
  std::uint32_t grace_ms = 10'000;
  std::string signal = "KILL";
  bool force = false;
  bool wait = false;  // until it is healthy
};
Outcome act(const Session& session, const TargetOptions& options, std::string_view verb);
struct SwitchOptions {
  std::string from, to;
  Scope scope = Scope::kEnvironments;
  bool suspend = false;  // to disk, and not in memory
};
// Freezes one and lets the other go on; when that one cannot, the first one goes on again.
Outcome switch_over(const Session& session, const SwitchOptions& options);
Outcome kill(const Session& session, const TargetOptions& options);
Outcome remove(const Session& session, const TargetOptions& options);
Outcome wait(const Session& session, const TargetOptions& options);
struct UpdateOptions {
  std::string name;
  std::optional<std::string> cpu;
  std::optional<std::uint32_t> memory_mb, pids;
  Scope scope = Scope::kEnvironments;
};
Outcome update(const Session& session, const UpdateOptions& options);

// list.cc
struct ListOptions {
  Scope scope = Scope::kEnvironments;
  bool running_only = false;
  std::vector<std::string> filters;  // "state=running"
};
Outcome list(const Session& session, const ListOptions& options);
Outcome show(const Session& session, const TargetOptions& options);

// exec.cc
struct ExecOptions {
  std::string name;
  std::vector<std::string> command;
  std::vector<std::string> env;
  std::string workdir, user;
  bool interactive = false, terminal = false;
  bool console = false;  // attach: only to a terminal
  bool serial = false;   // of a console: the serial line
  Scope scope = Scope::kEnvironments;
};
Outcome exec(const Session& session, const ExecOptions& options);
Outcome attach(const Session& session, const ExecOptions& options);

// copy.cc
struct CopyOptions {
  std::string from, to;
  bool follow = false, no_owners = false, xattrs = false;
  std::uint32_t most_mib = 65536;  // out of an environment
  Scope scope = Scope::kEnvironments;
};
Outcome copy(const Session& session, const CopyOptions& options);

// logs.cc
struct LogOptions {
  std::string name;
  bool follow = false, timestamps = false;
  std::optional<std::uint64_t> tail;
  std::optional<std::string> since;
  Scope scope = Scope::kEnvironments;
};
Outcome logs(const Session& session, const LogOptions& options);

// stats.cc
// Once, again every second until it is interrupted, or by where it goes: a table on a terminal is live.
enum class StatsForm : std::uint8_t { kByOutput, kOnce, kFollow };
Outcome stats(const Session& session, const TargetOptions& options, StatsForm form);

// images.cc
struct ImageOptions {
  std::vector<std::string> names;
  std::string path, new_name;
  std::string output_dir, signing_key;  // build
  std::vector<std::string> command;     // import
  bool insecure = false;
};
Outcome pull_images(const Session& session, const ImageOptions& options);
Outcome push_image(const Session& session, const ImageOptions& options);
Outcome list_images(const Session& session);
Outcome inspect_images(const Session& session, const ImageOptions& options);
Outcome remove_images(const Session& session, const ImageOptions& options);
Outcome prune_images(const Session& session);
Outcome tag_image(const Session& session, const ImageOptions& options);
Outcome import_image(const Session& session, const ImageOptions& options);
Outcome load_image(const Session& session, const ImageOptions& options);
Outcome save_image(const Session& session, const ImageOptions& options);
Outcome build_image(const Session& session, const ImageOptions& options);
// Pulls one image, with progress on a terminal; says nothing else.
Status pull_image(const Session& session, const std::string& reference, bool insecure);

// kernels.cc
struct KernelOptions {
  std::vector<std::string> names;
  std::string name;            // add, build, use
  std::string path;            // add
  std::string source, config;  // build
  bool distribution = false;   // use
};
Outcome list_kernels(const Session& session);
Outcome add_kernel(const Session& session, const KernelOptions& options);
Outcome build_kernel(const Session& session, const KernelOptions& options);
Outcome choose_kernel(const Session& session, const KernelOptions& options);
Outcome remove_kernels(const Session& session, const KernelOptions& options);

// events.cc
struct EventOptions {
  bool follow = false;
  std::string type, resource;
  std::optional<std::uint64_t> after;
  std::uint64_t limit = 1000;
};
Outcome events(const Session& session, const EventOptions& options);

// system.cc
Outcome show_system(const Session& session);
Outcome doctor(const Session& session);
Outcome list_operations(const Session& session);
Outcome cancel_operation(const Session& session, const std::string& id);

// plugins.cc
struct PluginOptions {
  std::vector<std::string> names;
  std::string manifest_path;
  bool force = false;
};
Outcome list_plugins(const Session& session);
Outcome install_plugin(const Session& session, const PluginOptions& options);
Outcome show_plugins(const Session& session, const PluginOptions& options);
Outcome enable_plugins(const Session& session, const PluginOptions& options);
Outcome disable_plugins(const Session& session, const PluginOptions& options);
Outcome remove_plugins(const Session& session, const PluginOptions& options);

// deployments.cc
struct DeploymentOptions {
  std::vector<std::string> names;
  std::string plugin, image, config_path;
  std::optional<std::uint32_t> replicas, max_unavailable;
  std::string service_address;
  std::vector<std::string> service_ports;
  bool no_service = false;
  std::optional<std::int64_t> wait_seconds;  // until it has come to its end, at most so long
};
Outcome list_deployments(const Session& session);
Outcome create_deployment(const Session& session, const DeploymentOptions& options);
Outcome scale_deployment(const Session& session, const DeploymentOptions& options);
Outcome update_deployment(const Session& session, const DeploymentOptions& options);
Outcome roll_back_deployment(const Session& session, const DeploymentOptions& options);
Outcome show_deployments(const Session& session, const DeploymentOptions& options);
Outcome delete_deployments(const Session& session, const DeploymentOptions& options);

// actions.cc
struct ActionOptions {
  std::string name, action;  // without an action: which there are
  std::string data;
  Scope scope = Scope::kEnvironments;
};
Outcome call_action(const Session& session, const ActionOptions& options);

// snapshots.cc
struct SnapshotOptions {
  std::string environment;  // create, list (empty: of all)
  std::vector<std::string> names;
};
Outcome create_snapshot(const Session& session, const SnapshotOptions& options);
Outcome list_snapshots(const Session& session, const SnapshotOptions& options);
Outcome show_snapshots(const Session& session, const SnapshotOptions& options);
Outcome restore_snapshot(const Session& session, const SnapshotOptions& options);
Outcome remove_snapshots(const Session& session, const SnapshotOptions& options);
struct ForkOptions {
  std::string source;  // an environment, or a snapshot
  bool from_snapshot = false;
  std::vector<std::string> names;
  std::vector<std::string> ports;
  Scope scope = Scope::kEnvironments;
};
Outcome fork(const Session& session, const ForkOptions& options);

// mcp.cc ── the Model Context Protocol on standard input and output, for the programs of AI agents
struct McpOptions {
  std::string role = "operator";
  std::vector<std::string> zones;
};
Outcome mcp(const Session& session, const McpOptions& options);

// tokens.cc
struct TokenOptions {
  std::string name, role = "viewer";
  std::vector<std::string> names;  // revoke
  std::vector<std::string> zones;
};
Outcome create_token(const Session& session, const TokenOptions& options);
Outcome list_tokens(const Session& session);
Outcome revoke_token(const Session& session, const TokenOptions& options);

// zones.cc
struct ZoneOptions {
  std::string name;                // create
  std::vector<std::string> names;  // show, rm
  std::string colour, bridge, subnet, pool_first, pool_last, egress;
  std::vector<std::string> dns;
  bool isolated = false;
};
Outcome create_zone(const Session& session, const ZoneOptions& options);
Outcome list_zones(const Session& session);
Outcome show_zones(const Session& session, const ZoneOptions& options);
Outcome remove_zones(const Session& session, const ZoneOptions& options);

// policy.cc
struct PolicyOptions {
  std::string source, target, service, argument;
};
Outcome list_policy(const Session& session);
Outcome check_policy(const Session& session);
Outcome reload_policy(const Session& session);
Outcome explain_policy(const Session& session, const PolicyOptions& options);

// setup.cc
struct SetupOptions;
Outcome setup(const Session& session, const SetupOptions& options);

// help.cc
struct CommandText;
struct ManOptions {
  std::vector<std::string> command;  // "run", or "images build"
  std::string directory;
};
Outcome print_completion(const std::string& shell);
// Prints what may stand in place of the last of these words.
Outcome offer(const Session& session, const CommandText& skerry, const std::vector<std::string>& words);
Outcome print_man(const CommandText& skerry, const ManOptions& options);

}  // namespace skerry::cli
