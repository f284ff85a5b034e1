#include "control/snapshots.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "core/event.h"

namespace skerry {
namespace {

Event snapshot_event(const Snapshot& snapshot, std::string_view what, WallTime time) {
  Event event;
  event.type = cat("snapshot.", what);
  event.resource = snapshot.name;
  event.time = time;
  event.data = {{"name", snapshot.name}, {"environment", snapshot.environment}, {"zone", snapshot.spec.zone}};
  return event;
}

Status check_name(const std::string& name) {
  if (is_dns_label(name)) return {};
  return fail(ErrorCode::kInvalidArgument,
              cat("name: \"", std::string_view(name).substr(0, 80),
                  "\" must be 1 to 63 of a-z, 0-9 and '-', not starting or ending with '-'"));
}

// What its files take on disk (they are sparse).
Result<std::uint64_t> size_of(const std::string& directory) {
  constexpr std::uint64_t kStatBlock = 512;
  std::uint64_t bytes = 0;
  for (const auto& name : TRY(sys::list_directory(directory))) {
    struct stat status{};
    const std::string path = cat(directory, "/", name);
    if (::lstat(path.c_str(), &status) < 0) return fail_errno(cat("stat ", path));
    bytes += static_cast<std::uint64_t>(status.st_blocks) * kStatBlock;
  }
  return bytes;
}

EnvironmentSpec forked_spec(EnvironmentSpec spec, const ForkRequest& request) {
  spec.name = request.name;
  spec.hostname.clear();    // its name
  spec.deployment.clear();  // a replica is made by its deployment alone
  spec.ports = request.ports;
  return spec;
}

}  // namespace

Result<std::unique_ptr<Snapshots>> Snapshots::create(std::string dir, Store& store, Controller& controller,
                                                     Clock& clock) {
  std::unique_ptr<Snapshots> snapshots(new Snapshots(std::move(dir), store, controller, clock));
  TRY_IN("open the snapshots", snapshots->clear_leftovers());
  return snapshots;
}

Status Snapshots::clear_leftovers() {
  TRY(sys::mkdir_all(dir_, 0700));
  const auto known = TRY(list());
  for (const auto& name : TRY(sys::list_directory(dir_))) {
    if (std::ranges::find(known, name, &Snapshot::name) != known.end()) continue;
    log::info("removing a snapshot that was cut short", {{"name", name}});
    TRY(sys::remove_tree(directory(name)));
  }
  return {};
}

Result<Snapshot> Snapshots::find(const std::string& name) {
  for (auto& each : TRY(list())) {
    if (each.name == name) return std::move(each);
  }
  return fail(ErrorCode::kNotFound, cat("snapshot \"", name, "\" does not exist"), "see: skerry snapshot ls");
}

// Nobody else uses this directory until end().
Status Snapshots::begin(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (under_way_.insert(name).second) return {};
  return fail(ErrorCode::kConflict, cat("\"", name, "\" is being made, used or removed at this moment"), "try again");
}

Result<Snapshot> Snapshots::begin_known(const std::string& name) {
  TRY(begin(name));
  auto snapshot = find(name);
  if (!snapshot) end(name);
  return snapshot;
}

Status Snapshots::begin_new(const std::string& name) {
  TRY(begin(name));
  const auto snapshot = find(name);
  if (!snapshot && snapshot.error().code == ErrorCode::kNotFound) return {};
  end(name);
  if (!snapshot) return fail(snapshot.error());
  return fail(ErrorCode::kAlreadyExists, cat("snapshot \"", name, "\" exists"),
              cat("choose another name, or: skerry snapshot rm ", name));
}

void Snapshots::end(const std::string& name) {
  const std::lock_guard lock(mutex_);
  under_way_.erase(name);
}

// Into a directory that is empty, whatever was there.
void Snapshots::save_to(const std::string& name, const std::string& environment, const Completion& done) {
  const auto prepare = [&]() -> Status {
    TRY(sys::remove_tree(directory(name)));
    return sys::mkdir_all(directory(name), 0700);
  };
  if (auto prepared = prepare(); !prepared) return done(fail(std::move(prepared).error()));
  controller_.save(environment, directory(name), done);
}

Result<Snapshot> Snapshots::record(const Environment& environment, const std::string& name) {
  Snapshot snapshot;
  snapshot.name = name;
  snapshot.environment = environment.spec.name;
  snapshot.environment_id = environment.id;
  snapshot.spec = environment.spec;
  snapshot.image_digest = environment.image_digest;
  // As it was when the driver had saved it; the memory is what it left.
  snapshot.with_memory = environment.status.state == State::kRunning || environment.status.state == State::kSuspended;
  snapshot.size_bytes = TRY(size_of(directory(name)));
  snapshot.created_at = clock_.now();
  TRY(store_.add_snapshot(snapshot, {snapshot_event(snapshot, "created", snapshot.created_at)}));
  return snapshot;
}

void Snapshots::take(const std::string& environment, const std::string& name, const Done& done) {
  const auto prepare = [&]() -> Status {
    TRY(check_name(name));
    return begin_new(name);
  };
  if (auto prepared = prepare(); !prepared) return done(fail(std::move(prepared).error()));
  save_to(name, environment, [this, name, done](Result<Environment> saved) {
    crash_point("the driver has saved it");
    auto taken = saved ? record(*saved, name) : Result<Snapshot>(fail(saved.error()));
    if (!taken) static_cast<void>(sys::remove_tree(directory(name)));
    end(name);
    done(std::move(taken));
  });
}

void Snapshots::restore(const std::string& name, const Completion& done) {
  const auto snapshot = begin_known(name);
  if (!snapshot) return done(fail(snapshot.error()));
  const auto target = controller_.find(snapshot->environment);
  if (!target || target->id != snapshot->environment_id) {
    end(name);
    return done(fail(ErrorCode::kNotFound,
                     cat("restore ", name, ": the environment \"", snapshot->environment, "\" has been deleted"),
                     cat("make a new one of it: skerry fork --snapshot ", name, " NEW_NAME")));
  }
  controller_.restore(snapshot->environment, directory(name), [this, name, done](Result<Environment> restored) {
    end(name);
    done(std::move(restored));
  });
}

void Snapshots::create_fork(const EnvironmentSpec& source, const ForkRequest& request, const std::string& saved,
                            const Completion& done) {
  CreateCommand command;
  command.spec = forked_spec(source, request);
  command.saved = saved;
  controller_.submit(std::move(command), done);
}

void Snapshots::fork(const std::string& environment, const ForkRequest& request, const Completion& done) {
  const std::string temporary = cat(".fork-", request.name);
  const auto prepare = [&]() -> Status {
    TRY(check_name(request.name));
    if (controller_.find(request.name)) {
      return fail(ErrorCode::kAlreadyExists, cat("name \"", request.name, "\" is taken"), "choose another one");
    }
    return begin(temporary);
  };
  if (auto prepared = prepare(); !prepared) return done(fail(std::move(prepared).error()));
  const auto finish = [this, temporary, done](Result<Environment> result) {
    static_cast<void>(sys::remove_tree(directory(temporary)));
    end(temporary);
    done(std::move(result));
  };
  save_to(temporary, environment, [this, request, temporary, finish](Result<Environment> saved) {
    if (!saved) return finish(std::move(saved));
    create_fork(saved->spec, request, directory(temporary), finish);
  });
}

void Snapshots::fork_snapshot(const std::string& name, const ForkRequest& request, const Completion& done) {
  const auto snapshot = begin_known(name);
  if (!snapshot) return done(fail(snapshot.error()));
  create_fork(snapshot->spec, request, directory(name), [this, name, done](Result<Environment> made) {
    end(name);
    done(std::move(made));
  });
}

Status Snapshots::remove(const std::string& name) {
  TRY(begin(name));
  const auto gone = [&]() -> Status {
    const auto snapshot = TRY(find(name));
    TRY(store_.remove_snapshot(name, {snapshot_event(snapshot, "removed", clock_.now())}));
    TRY(sys::remove_tree(directory(name)));
    crash_point("a snapshot's files are gone");
    return {};
  }();
  end(name);
  return gone;
}

}  // namespace skerry
