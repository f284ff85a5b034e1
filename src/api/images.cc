// /api/v1/images: list, show, tag, remove, prune; pull, push, load, save and build are operations.
#include "api/documents.h"
#include "api/find.h"
#include "api/handlers.h"
#include "base/text.h"
#include "wire/plugin_manifest.h"
#include "wire/requests.h"

namespace skerry::api {
namespace {

Event image_event(const Clock& clock, std::string_view what, const std::string& name,
                  std::map<std::string, std::string> data) {
  Event event;
  event.type = cat("image.", what);
  event.resource = name;
  event.data = std::move(data);
  event.time = clock.now();
  return event;
}

// All zones share the names of images: what others will make of one is not for a caller of a few zones to change. (One
// with a digest means the same for ever.)
Status check_name_is_free(ImagePort& images, const std::string& reference) {
  if (reference.find('@') != std::string::npos || !images.find(reference)) return {};
  return fail(ErrorCode::kRefused, cat("image \"", reference, "\" is there, and other zones may run it"),
              "run it as it is, pull the other one by its digest, or ask an admin of the whole host");
}

// Runs `work` as an operation that stores image.WHAT when it succeeds.
Result<Response> start_work(Context& context, std::string_view what, const std::string& subject,
                            const std::function<ImagePort::Outcome(OperationProgress&)>& work) {
  // An operation may outlive the server, and with it `context.ports`, not what those refer to.
  auto& store = context.ports.store;
  auto& clock = context.ports.clock;
  const std::string verb = what == "pulled"     ? "pull"
                           : what == "pushed"   ? "push"
                           : what == "loaded"   ? "load"
                           : what == "built"    ? "build"
                           : what == "imported" ? "import"
                                                : "save";
  const auto operation = TRY(context.ports.operations.start(
      cat("image.", verb), subject,
      [&store, &clock, what, subject, work](OperationProgress& progress) -> ImagePort::Outcome {
        auto result = TRY(work(progress));
        if (what != "saved") TRY(store.append_events({image_event(clock, what, subject, result)}));
        return result;
      }));
  return accepted(operation);
}

void write_config(wire::JsonWriter& json, const ImageConfig& config) {
  json.begin_object()
      .field("entrypoint", config.entrypoint)
      .field("command", config.cmd)
      .field("env", config.env)
      .field("workdir", config.workdir)
      .field("user", config.user)
      .field("exposed_ports", config.exposed_ports)
      .field("volumes", config.volumes)
      .field("stop_signal", config.stop_signal)
      .field("labels", config.labels)
      .end_object();
}

// Environments and snapshots that need it: "web", "snapshot before-update".
Result<std::vector<std::string>> users_of(Context& context, const Image& image) {
  auto users = context.ports.controller.users_of_image(image.manifest_digest.text());
  for (const auto& snapshot : TRY(context.ports.snapshots.list())) {
    if (snapshot.image_digest == image.manifest_digest.text()) users.push_back(cat("snapshot ", snapshot.name));
  }
  return users;
}

std::vector<std::string> visible_users(Context& context, const Request& request, const Image& image) {
  auto users = context.ports.controller.users_of_image(image.manifest_digest.text());
  std::erase_if(users, [&](const std::string& name) {
    const auto environment = context.ports.controller.find(name);
    return environment && !is_visible(request, *environment);
  });
  return users;
}

}  // namespace

Result<Response> list_images(Context& context, const Request& request) {
  return list_page(request, context.ports.images.list(), write_image);
}

Result<Response> show_image(Context& context, const Request& request) {
  const auto image = TRY(context.ports.images.find(request.parameter("reference")));
  wire::JsonWriter json;
  json.begin_object().key("image");
  write_image(json, image);
  json.key("config");
  write_config(json, image.config);
  json.key("layers").begin_array();
  for (const auto& layer : image.layers) {
    json.begin_object()
        .field("digest", layer.digest.text())
        .field("diff_id", layer.diff_id.text())
        .field("size", layer.size)
        .end_object();
  }
  json.end_array()
      .field("used_by", visible_users(context, request, image))
      .key("raw_config")
      .raw(TRY(context.ports.images.raw_config(image)))
      .end_object();
  return json_response(std::move(json).text());
}

Result<Response> pull_image(Context& context, const Request& request) {
  const auto pull = TRY(wire::parse_pull_request(request.body));
  if (pull.insecure && !request.caller.owns_host()) {
    return fail(ErrorCode::kRefused, "insecure: only an admin may pull without checking who answers");
  }
  const auto parsed = TRY(ImageReference::parse(pull.reference));
  const auto reference = parsed.text();
  const auto transport = pull.insecure ? ImagePort::Transport::kInsecure : ImagePort::Transport::kVerified;
  auto& images = context.ports.images;
  const bool limited = !request.caller.zones.empty();
  if (limited) TRY(check_name_is_free(images, reference));
  return start_work(context, "pulled", reference,
                    [&images, reference, transport, limited](OperationProgress& progress) -> ImagePort::Outcome {
                      if (limited) TRY(check_name_is_free(images, reference));
                      return images.pull(reference, transport, progress);
                    });
}

Result<Response> push_image(Context& context, const Request& request) {
  const auto push = TRY(wire::parse_push_request(request.body));
  auto& images = context.ports.images;
  const Image image = TRY(images.find(push.image));
  const std::string target = push.target.empty() ? image.name : push.target;
  if (target.empty()) {
    return fail(ErrorCode::kInvalidArgument, cat("image ", push.image, " has no name that says where to"),
                "name the target too: REGISTRY/NAME:TAG");
  }
  const auto reference = TRY(ImageReference::parse(target)).text();
  const auto transport = push.insecure ? ImagePort::Transport::kInsecure : ImagePort::Transport::kVerified;
  return start_work(context, "pushed", reference, [&images, push, reference, transport](OperationProgress& progress) {
    return images.push(push.image, reference, transport, progress);
  });
}

Result<Response> load_image(Context& context, const Request& request) {
  const auto archive = TRY(wire::parse_archive_request(request.body));
  auto& images = context.ports.images;
  return start_work(context, "loaded", archive.path, [&images, archive](OperationProgress& progress) {
    return images.load(archive.path, archive.name, progress);
  });
}

Result<Response> import_image(Context& context, const Request& request) {
  const auto archive = TRY(wire::parse_import_request(request.body));
  auto& images = context.ports.images;
  return start_work(context, "imported", archive.name,
                    [&images, archive](OperationProgress& progress) { return images.import(archive, progress); });
}

Result<Response> save_image(Context& context, const Request& request) {
  const auto archive = TRY(wire::parse_archive_request(request.body));
  auto& images = context.ports.images;
  TRY(images.find(archive.name));
  return start_work(context, "saved", archive.name, [&images, archive](OperationProgress& progress) {
    return images.save(archive.name, archive.path, progress);
  });
}

Result<Response> build_image(Context& context, const Request& request) {
  const auto build = TRY(wire::parse_build_image_request(request.body));
  auto& images = context.ports.images;
  return start_work(context, "built", build.path,
                    [&images, build](OperationProgress& progress) { return images.build(build, progress); });
}

Result<Response> tag_image(Context& context, const Request& request) {
  const auto tag = TRY(wire::parse_tag_request(request.body));
  TRY(context.ports.images.tag(tag.source, tag.name));
  return no_content();
}

Result<Response> remove_image(Context& context, const Request& request) {
  const auto& reference = request.parameter("reference");
  const auto image = TRY(context.ports.images.find(reference));
  const auto users = TRY(users_of(context, image));
  if (!users.empty()) {
    return fail(ErrorCode::kConflict, cat("image \"", reference, "\" is in use by ", join(users, ", ")),
                "remove them first");
  }
  const auto removed = TRY(context.ports.images.remove(reference));
  TRY(context.ports.store.append_events({image_event(context.ports.clock, "removed", reference, removed)}));
  wire::JsonWriter json;
  json.value(removed);
  return json_response(std::move(json).text());
}

Result<Response> prune_images(Context& context, const Request&) {
  std::vector<std::string> in_use;
  const auto keep = [&](const std::optional<Artifact>& artifact) {
    if (artifact) in_use.push_back(artifact->checksum);
  };
  for (const auto& environment : context.ports.controller.views()) {
    if (!environment->image_digest.empty()) in_use.push_back(environment->image_digest);
    keep(environment->spec.root_disk);
    keep(environment->spec.initramfs);
  }
  for (const auto& snapshot : TRY(context.ports.snapshots.list())) {
    in_use.push_back(snapshot.image_digest);
    keep(snapshot.spec.root_disk);
    keep(snapshot.spec.initramfs);
  }
  for (const auto& plugin : TRY(context.ports.store.plugins())) {
    const auto manifest = TRY(wire::parse_plugin_manifest(plugin.manifest_json));
    keep(manifest.rootfs);
    keep(manifest.initramfs);
  }
  wire::JsonWriter json;
  json.value(TRY(context.ports.images.prune(in_use)));
  return json_response(std::move(json).text());
}

}  // namespace skerry::api
