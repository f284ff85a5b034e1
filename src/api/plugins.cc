// /api/v1/plugins: the registry of manifests.
#include "api/find.h"
#include "api/handlers.h"
#include "base/text.h"
#include "wire/json_writer.h"
#include "wire/plugin_manifest.h"

namespace skerry::api {
namespace {

Event plugin_event(const Context& context, std::string_view what, const Plugin& plugin) {
  Event event;
  event.type = cat("plugin.", what);
  event.resource = plugin.name;
  event.data = {{"name", plugin.name}, {"version", plugin.version}};
  event.time = context.ports.clock.now();
  return event;
}

void write_plugin(wire::JsonWriter& json, const Plugin& plugin) {
  json.begin_object()
      .field("name", plugin.name)
      .field("version", plugin.version)
      .field("runtime", plugin.runtime)
      .field("enabled", plugin.enabled)
      .field("created_at", to_rfc3339(plugin.created_at))
      .end_object();
}

Response plugin_response(const Plugin& plugin, int status = 200) {
  wire::JsonWriter json;
  write_plugin(json, plugin);
  return json_response(std::move(json).text(), status);
}

Result<Plugin> find_plugin(Context& context, const Request& request) {
  const auto& name = request.parameter("name");
  auto plugin = TRY(context.ports.store.find_plugin(name));
  if (!plugin)
    return fail(ErrorCode::kNotFound, cat("plugin \"", name, "\" does not exist"), "see: skerry plugins list");
  return *plugin;
}

// Environments and deployments that were made from it.
Result<std::vector<std::string>> users_of(Context& context, const std::string& plugin) {
  std::vector<std::string> users;
  for (const auto& each : context.ports.controller.views()) {
    if (each->spec.plugin == plugin) users.push_back(each->spec.name);
  }
  for (const auto& each : TRY(context.ports.deployments.list())) {
    if (each.deployment.plugin == plugin) users.push_back(cat("deployment ", each.deployment.name));
  }
  return users;
}

Result<Response> switch_plugin(Context& context, const Request& request, bool enabled) {
  auto plugin = TRY(find_plugin(context, request));
  if (plugin.enabled != enabled) {
    plugin.enabled = enabled;
    TRY(context.ports.store.set_plugin_enabled(plugin.name, enabled,
                                               {plugin_event(context, enabled ? "enabled" : "disabled", plugin)}));
  }
  return plugin_response(plugin);
}

}  // namespace

Result<Response> list_plugins(Context& context, const Request& request) {
  return list_page(request, TRY(context.ports.store.plugins()), write_plugin);
}

Result<Response> show_plugin(Context& context, const Request& request) {
  return plugin_response(TRY(find_plugin(context, request)));
}

Result<Response> show_manifest(Context& context, const Request& request) {
  return json_response(TRY(find_plugin(context, request)).manifest_json);
}

Result<Response> install_plugin(Context& context, const Request& request) {
  const auto manifest = TRY(wire::parse_plugin_manifest(request.body));
  if (context.config.check_plugin) {
    TRY_IN(cat("plugin \"", manifest.name, "\""), context.config.check_plugin(request.body));
  }
  if (TRY(context.ports.store.find_plugin(manifest.name))) {
    return fail(ErrorCode::kAlreadyExists, cat("plugin ", manifest.name, " is installed already"), "remove it first");
  }
  // Now, while somebody waits for it, and not at the first start; what is not what the manifest says is refused here.
  if (manifest.rootfs) TRY_IN("rootfs", context.ports.images.fetch(*manifest.rootfs));
  if (manifest.initramfs) TRY_IN("initramfs", context.ports.images.fetch(*manifest.initramfs));
  const Plugin plugin{manifest.name, manifest.version, manifest.runtime,
                      request.body,  manifest.enabled, context.ports.clock.now()};
  TRY(context.ports.store.install_plugin(plugin, {plugin_event(context, "installed", plugin)}));
  auto response = plugin_response(plugin, 201);
  response.headers.emplace_back("Location", cat("/api/v1/plugins/", plugin.name));
  return response;
}

Result<Response> enable_plugin(Context& context, const Request& request) {
  return switch_plugin(context, request, true);
}
Result<Response> disable_plugin(Context& context, const Request& request) {
  return switch_plugin(context, request, false);
}

Result<Response> remove_plugin(Context& context, const Request& request) {
  const auto plugin = TRY(find_plugin(context, request));
  const bool force = TRY(request.flag("force"));
  const auto users = TRY(users_of(context, plugin.name));
  if (!users.empty() && !force) {
    return fail(ErrorCode::kConflict, cat("plugin \"", plugin.name, "\" is in use by ", join(users, ", ")),
                "delete them first, or use --force");
  }
  TRY(context.ports.store.remove_plugin(plugin.name, {plugin_event(context, "removed", plugin)},
                                        force ? PluginUsers::kLeaveBehind : PluginUsers::kRefuse));
  return no_content();
}

}  // namespace skerry::api
