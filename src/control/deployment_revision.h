// What a deployment runs, and what it ran before: its revisions, and the replicas that are made from them. Values only.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "core/command.h"
#include "core/deployment_plan.h"
#include "core/environment.h"
#include "core/plugin.h"
#include "core/plugin_version.h"

namespace skerry {

// Where its replicas are; "" when its configuration cannot be read.
std::string zone_of(const Deployment& deployment);

bool is_same_revision(const Deployment& left, const Deployment& right);
// With the plugin's version, which the label of a replica does not have.
std::string full_revision_of(const Deployment& deployment);

void run_plugin(Deployment& deployment, const PluginRef& plugin);
// What it runs becomes what it ran before, and the other way round. kConflict: there is nothing before.
Status swap_revisions(Deployment& deployment);
// The revision that failed is not kept: going "back" to it by hand would be a trap.
Status take_back(Deployment& deployment);

// The creation of one of its replicas. kInvalidArgument: its configuration is none.
Result<CreateCommand> replica_command(const Deployment& deployment, std::uint32_t number);
ReplicaView view_of(const Deployment& deployment, const Environment& environment);

}  // namespace skerry
