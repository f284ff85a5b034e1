// The handlers that the route table names, by resource. Each file NAME.cc implements one group.
#pragma once

#include "api/context.h"
#include "api/http.h"

namespace skerry::api {

// environments.cc
Result<Response> list_environments(Context& context, const Request& request);
Result<Response> show_environment(Context& context, const Request& request);
void create_environment(Context& context, Request request, Reply reply);
void update_environment(Context& context, Request request, Reply reply);
void delete_environment(Context& context, Request request, Reply reply);

// lifecycle.cc
void start_environment(Context& context, Request request, Reply reply);
void stop_environment(Context& context, Request request, Reply reply);
void restart_environment(Context& context, Request request, Reply reply);
void pause_environment(Context& context, Request request, Reply reply);
void resume_environment(Context& context, Request request, Reply reply);
void suspend_environment(Context& context, Request request, Reply reply);
void kill_environment(Context& context, Request request, Reply reply);
void wait_environment(Context& context, Request request, Reply reply);

// workload.cc
void ask_workload(Context& context, Request request, Reply reply);

// exec.cc
void exec_environment(Context& context, Request request, Reply reply);
Result<Response> open_console(Context& context, const Request& request);
void copy_environment(Context& context, Request request, Reply reply);
Result<Response> attach_environment(Context& context, const Request& request);

// logs.cc, stats.cc
Result<Response> environment_logs(Context& context, const Request& request);
Result<Response> environment_stats(Context& context, const Request& request);

// images.cc
Result<Response> list_images(Context& context, const Request& request);
Result<Response> show_image(Context& context, const Request& request);
Result<Response> pull_image(Context& context, const Request& request);
Result<Response> push_image(Context& context, const Request& request);
Result<Response> load_image(Context& context, const Request& request);
Result<Response> import_image(Context& context, const Request& request);
Result<Response> save_image(Context& context, const Request& request);
Result<Response> build_image(Context& context, const Request& request);
Result<Response> tag_image(Context& context, const Request& request);
Result<Response> remove_image(Context& context, const Request& request);
Result<Response> prune_images(Context& context, const Request& request);

// kernels.cc
Result<Response> list_kernels(Context& context, const Request& request);
Result<Response> add_kernel(Context& context, const Request& request);
Result<Response> build_kernel(Context& context, const Request& request);
Result<Response> choose_kernel(Context& context, const Request& request);
Result<Response> remove_kernel(Context& context, const Request& request);

// events.cc
Result<Response> list_events(Context& context, const Request& request);

// operations.cc
Result<Response> list_operations(Context& context, const Request& request);
Result<Response> show_operation(Context& context, const Request& request);
Result<Response> watch_operation(Context& context, const Request& request);
Result<Response> cancel_operation(Context& context, const Request& request);

// plugins.cc
Result<Response> list_plugins(Context& context, const Request& request);
Result<Response> show_plugin(Context& context, const Request& request);
Result<Response> show_manifest(Context& context, const Request& request);
Result<Response> install_plugin(Context& context, const Request& request);
Result<Response> enable_plugin(Context& context, const Request& request);
Result<Response> disable_plugin(Context& context, const Request& request);
Result<Response> remove_plugin(Context& context, const Request& request);

// manifest_schema.cc
Result<Response> show_manifest_schema(Context& context, const Request& request);

// deployments.cc
Result<Response> list_deployments(Context& context, const Request& request);
Result<Response> show_deployment(Context& context, const Request& request);
Result<Response> create_deployment(Context& context, const Request& request);
Result<Response> change_deployment(Context& context, const Request& request);
Result<Response> roll_back_deployment(Context& context, const Request& request);
Result<Response> delete_deployment(Context& context, const Request& request);

// snapshots.cc
Result<Response> list_snapshots(Context& context, const Request& request);
Result<Response> environment_snapshots(Context& context, const Request& request);
Result<Response> show_snapshot(Context& context, const Request& request);
Result<Response> remove_snapshot(Context& context, const Request& request);
void take_snapshot(Context& context, Request request, Reply reply);
void restore_snapshot(Context& context, Request request, Reply reply);
void fork_environment(Context& context, Request request, Reply reply);
void fork_snapshot(Context& context, Request request, Reply reply);

// actions.cc
Result<Response> list_actions(Context& context, const Request& request);
void call_action(Context& context, Request request, Reply reply);

// tokens.cc
Result<Response> list_tokens(Context& context, const Request& request);
Result<Response> create_token(Context& context, const Request& request);
Result<Response> revoke_token(Context& context, const Request& request);

// policy.cc
Result<Response> show_policy(Context& context, const Request& request);
Result<Response> check_policy(Context& context, const Request& request);
Result<Response> reload_policy(Context& context, const Request& request);
Result<Response> explain_policy(Context& context, const Request& request);

// zones.cc
Result<Response> list_zones(Context& context, const Request& request);
Result<Response> show_zone(Context& context, const Request& request);
Result<Response> create_zone(Context& context, const Request& request);
Result<Response> remove_zone(Context& context, const Request& request);

// system.cc, metrics.cc, openapi.cc
Result<Response> show_health(Context& context, const Request& request);
Result<Response> show_system(Context& context, const Request& request);
Result<Response> show_metrics(Context& context, const Request& request);
Result<Response> show_openapi(Context& context, const Request& request);

}  // namespace skerry::api
