// /api/v1/plugins: the registry of manifests.
#include <algorithm>

#include "api/documents.h"
#include "api/find.h"
#include "api/handlers.h"
#include "base/text.h"
#include "wire/hidden_texts.h"
#include "wire/json_writer.h"
#include "wire/plugin_manifest.h"

namespace skerry::api {
namespace {

constexpr Duration kLookAgain = std::chrono::milliseconds(50);

Event plugin_event(const Clock& clock, std::string_view what, const Plugin& plugin) {
  Event event;
  event.type = cat("plugin.", what);
  event.resource = plugin.name;
  event.data = {{"name", plugin.name}, {"version", plugin.version}};
  event.time = clock.now();
  return event;
}

using WarmPools = std::vector<WarmPoolStatus>;

// Of the version that the name stands for: others have none.
void write_warm_pool(wire::JsonWriter& json, const Plugin& plugin, const WarmPools& pools) {
  const auto found = std::ranges::find(pools, plugin.name, &WarmPoolStatus::plugin);
  if (found == pools.end()) return;
  json.key("warm_pool")
      .begin_object()
      .field("mode", to_text(found->wish.mode))
      .field("size", found->wish.size)
      .field("ready", found->ready)
      .field("memory_bytes", found->memory_bytes)
      .field("taken", found->taken)
      .field("problem", found->problem)
      .end_object();
}

void write_plugin(wire::JsonWriter& json, const Plugin& plugin, bool is_default, const WarmPools& pools) {
  json.begin_object()
      .field("name", plugin.name)
      .field("version", plugin.version)
      .field("runtime", plugin.runtime)
      .field("enabled", plugin.enabled)
      .field("default", is_default)
      .field("created_at", to_rfc3339(plugin.created_at));
  if (is_default) write_warm_pool(json, plugin, pools);
  json.end_object();
}

// {name}: NAME or NAME@VERSION.
PluginRef wanted_plugin(const Request& request) { return parse_plugin_ref(request.parameter("name")); }

// Without a version the one that the name stands for.
Result<Plugin> find_plugin(Context& context, const Request& request) {
  const auto wanted = wanted_plugin(request);
  auto plugin = TRY(context.ports.store.find_plugin(wanted));
  if (plugin) return *plugin;
  return fail(ErrorCode::kNotFound, cat("plugin \"", to_text(wanted), "\" does not exist"), "see: skerry plugins list");
}

Result<Response> plugin_response(Context& context, const Plugin& plugin, int status = 200) {
  const auto usual = TRY(context.ports.store.find_plugin({plugin.name, {}}));
  wire::JsonWriter json;
  write_plugin(json, plugin, usual && usual->version == plugin.version, context.ports.controller.warm_pools());
  return json_response(std::move(json).text(), status);
}

// All versions that are meant, the newest first. kNotFound when there is none.
Result<std::vector<Plugin>> meant_plugins(Context& context, const Request& request) {
  const auto wanted = wanted_plugin(request);
  auto all = TRY(context.ports.store.plugins());
  std::erase_if(all, [&](const Plugin& each) {
    return each.name != wanted.name || (!wanted.version.empty() && each.version != wanted.version);
  });
  if (all.empty()) TRY(find_plugin(context, request));
  return all;
}

struct ListedPlugin {
  Plugin plugin;
  bool is_default = false;  // what the name alone stands for: the newest enabled, else the newest
};

// Of plugins by name, the newest first, as the store gives them.
std::vector<ListedPlugin> with_defaults(std::vector<Plugin> all) {
  std::vector<ListedPlugin> out;
  for (auto first = all.begin(); first != all.end();) {
    const auto end = std::find_if(first, all.end(), [&](const Plugin& each) { return each.name != first->name; });
    const auto enabled = std::find_if(first, end, [](const Plugin& each) { return each.enabled; });
    const auto chosen = enabled == end ? first : enabled;
    for (; first != end; ++first) out.push_back({*first, first == chosen});
  }
  return out;
}

// Environments and deployments that were made from it.
Result<std::vector<std::string>> users_of(Context& context, const PluginRef& plugin) {
  const auto is_user = [&](const auto& each) {
    return each.plugin == plugin.name && (plugin.version.empty() || each.plugin_version == plugin.version);
  };
  std::vector<std::string> users;
  for (const auto& each : context.ports.controller.views()) {
    if (is_user(each->spec)) users.push_back(each->spec.name);
  }
  for (const auto& each : TRY(context.ports.deployments.list())) {
    if (is_user(each.deployment)) users.push_back(cat("deployment ", each.deployment.name));
  }
  return users;
}

Result<Response> switch_plugin(Context& context, const Request& request, bool enabled) {
  std::vector<Event> events;
  for (auto plugin : TRY(meant_plugins(context, request))) {
    if (plugin.enabled == enabled) continue;
    plugin.enabled = enabled;
    events.push_back(plugin_event(context.ports.clock, enabled ? "enabled" : "disabled", plugin));
  }
  if (!events.empty()) TRY(context.ports.store.set_plugin_enabled(wanted_plugin(request), enabled, events));
  return plugin_response(context, TRY(find_plugin(context, request)));
}

Status store_plugin(Store& store, const Clock& clock, const Plugin& plugin) {
  return store.install_plugin(plugin, {plugin_event(clock, "installed", plugin)});
}

Result<Response> installed_response(Context& context, const Plugin& plugin) {
  auto response = TRY(plugin_response(context, plugin, 201));
  response.headers.emplace_back("Location", cat("/api/v1/plugins/", plugin.name, "@", percent_encode(plugin.version)));
  return response;
}

// Fetches what the manifest names, and stores the plugin when all of it is what the manifest says: an operation that
// others can look at and cancel.
Result<Operation> start_install(Context& context, const PluginManifest& manifest, const Plugin& plugin) {
  // An operation may outlive the server, and with it `context`, not what its ports refer to.
  auto& images = context.ports.images;
  auto& store = context.ports.store;
  auto& clock = context.ports.clock;
  return context.ports.operations.start(
      "plugin.install", to_text(PluginRef{plugin.name, plugin.version}),
      [&images, &store, &clock, manifest, plugin](OperationProgress& progress) -> ImagePort::Outcome {
        if (manifest.rootfs) TRY_IN("rootfs", images.fetch(*manifest.rootfs, progress));
        if (manifest.initramfs) TRY_IN("initramfs", images.fetch(*manifest.initramfs, progress));
        // What was fetched so fast that nobody asked in between.
        if (progress.cancelled()) return fail(ErrorCode::kCancelled, "cancelled");
        TRY(store_plugin(store, clock, plugin));
        return std::map<std::string, std::string>{{"name", plugin.name}, {"version", plugin.version}};
      });
}

// The answer when the operation has ended.
Response when_installed(Context& context, const std::string& id, const Plugin& plugin) {
  auto look = [&context, id, plugin]() -> Result<std::optional<Response>> {
    const auto operation = TRY(context.ports.operations.find(id));
    if (operation.state == OperationState::kRunning) return std::optional<Response>();
    if (operation.state != OperationState::kSucceeded) return fail(Error(operation.error));
    return std::optional<Response>(TRY(installed_response(context, plugin)));
  };
  Response response;
  response.later = Later{std::move(look), kLookAgain};
  return response;
}

}  // namespace

Result<Response> list_plugins(Context& context, const Request& request) {
  const auto pools = context.ports.controller.warm_pools();
  return list_page(request, with_defaults(TRY(context.ports.store.plugins())),
                   [&pools](wire::JsonWriter& json, const ListedPlugin& each) {
                     write_plugin(json, each.plugin, each.is_default, pools);
                   });
}

Result<Response> show_plugin(Context& context, const Request& request) {
  return plugin_response(context, TRY(find_plugin(context, request)));
}

Result<Response> show_manifest(Context& context, const Request& request) {
  auto manifest = TRY(find_plugin(context, request)).manifest_json;
  // It is the same for all zones: what it says to the guests of one is not for the others.
  const bool all = request.caller.may_read_secrets() && request.caller.zones.empty();
  return json_response(all ? std::move(manifest) : wire::without_secrets(std::move(manifest)));
}

Result<Response> install_plugin(Context& context, const Request& request) {
  const bool in_background = TRY(request.flag("background"));
  const auto manifest = TRY(wire::parse_plugin_manifest(request.body));
  if (context.config.check_plugin) {
    TRY_IN(cat("plugin \"", manifest.name, "\""), context.config.check_plugin(request.body));
  }
  const PluginRef reference{manifest.name, manifest.version};
  if (TRY(context.ports.store.find_plugin(reference))) {
    return fail(ErrorCode::kAlreadyExists, cat("plugin ", to_text(reference), " is installed already"),
                "remove it first, or give the new one another version");
  }
  const Plugin plugin{manifest.name, manifest.version, manifest.runtime,
                      request.body,  manifest.enabled, context.ports.clock.now()};
  // Fetched now, while somebody waits for it, and not at the first start.
  if (manifest.rootfs || manifest.initramfs) {
    const auto operation = TRY(start_install(context, manifest, plugin));
    return in_background ? accepted(operation) : when_installed(context, operation.id, plugin);
  }
  TRY(store_plugin(context.ports.store, context.ports.clock, plugin));
  return installed_response(context, plugin);
}

Result<Response> enable_plugin(Context& context, const Request& request) {
  return switch_plugin(context, request, true);
}
Result<Response> disable_plugin(Context& context, const Request& request) {
  return switch_plugin(context, request, false);
}

// A name alone means all its versions: they go together or not at all.
Result<Response> remove_plugin(Context& context, const Request& request) {
  const auto wanted = wanted_plugin(request);
  const auto plugins = TRY(meant_plugins(context, request));
  const bool force = TRY(request.flag("force"));
  const auto users = TRY(users_of(context, wanted));
  if (!users.empty() && !force) {
    return fail(ErrorCode::kConflict, cat("plugin \"", to_text(wanted), "\" is in use by ", join(users, ", ")),
                "delete them first, or use --force");
  }
  std::vector<Event> events;
  events.reserve(plugins.size());
  for (const auto& plugin : plugins) events.push_back(plugin_event(context.ports.clock, "removed", plugin));
  TRY(context.ports.store.remove_plugin(wanted, events, force ? PluginUsers::kLeaveBehind : PluginUsers::kRefuse));
  return no_content();
}

}  // namespace skerry::api
