// The one table of tools, in the order in which clients see them.
#include "api/mcp_run.h"
#include "api/mcp_tools.h"

namespace skerry::api {
namespace {

// Properties that several tools take.
#define SKERRY_NAME R"("name":{"type":"string","description":"Name of the environment"})"
#define SKERRY_PAGE                                                            \
  R"("limit":{"type":"integer","minimum":1,"description":"At most so many"},)" \
  R"("offset":{"type":"integer","minimum":0,"description":"Skip so many"})"
#define SKERRY_ISOLATION                                                                             \
  R"("isolation":{"enum":["container","microvm","vm"],"description":"How strongly it is isolated: )" \
  R"(a container shares the host's kernel, a microvm has its own"})"
#define SKERRY_SIZE                                                                    \
  R"("memory_mb":{"type":"integer","minimum":1,"description":"Most memory, in MiB"},)" \
  R"("cpu_cores":{"type":"number","exclusiveMinimum":0,"description":"Most CPU, in cores"})"
#define SKERRY_ENV \
  R"("env":{"type":"object","additionalProperties":{"type":"string"},"description":"Environment variables"})"
#define SKERRY_ZONE R"("zone":{"type":"string","description":"Security zone; the default one when not given"})"
#define SKERRY_IMAGE R"("image":{"type":"string","description":"Image, as list_images names it"})"
#define SKERRY_PROCESS                                                                                         \
  R"("stdin":{"type":"string","description":"What it reads from its standard input"},)"                        \
  R"("workdir":{"type":"string","description":"Directory to run in"},)"                                        \
  R"("user":{"type":"string","description":"User to run as: name or uid"},)"                                   \
  R"("timeout_ms":{"type":"integer","minimum":1,"maximum":600000,"description":"Most time, in milliseconds; )" \
  R"(60000 when not given"})"
#define SKERRY_RUN                                                                                            \
  SKERRY_IMAGE "," SKERRY_PROCESS "," SKERRY_ENV                                                              \
               R"(,"files":{"type":"array","maxItems":64,"description":"Files to write before it starts",)"   \
               R"("items":{"type":"object","required":["path"],"additionalProperties":false,"properties":{)"  \
               R"("path":{"type":"string","description":"Absolute path inside"},)"                            \
               R"("text":{"type":"string"},"base64":{"type":"string"}}}},)"                                   \
               R"("outputs":{"type":"array","maxItems":64,"items":{"type":"string"},)"                        \
               R"("description":"Absolute paths of files to read back when it has ended"},)" SKERRY_ISOLATION \
               "," SKERRY_SIZE "," SKERRY_ZONE

constexpr std::string_view kRunOutput =
    R"({"type":"object","required":["environment","exit_code","timed_out","oom_killed","stdout","stderr","truncated","files"],)"
    R"("properties":{"environment":{"type":"string"},)"
    R"("exit_code":{"type":["integer","null"],"description":"null: the time was up"},"timed_out":{"type":"boolean"},)"
    R"("oom_killed":{"type":"boolean","description":"It needed more memory than its limit and was killed"},)"
    R"("reason":{"type":"string","description":"Why it ended, where the exit code does not tell"},)"
    R"("stdout":{"type":"string"},"stderr":{"type":"string"},)"
    R"("truncated":{"type":"boolean","description":"more than 1 MiB was written to one of them"},)"
    R"("files":{"type":"array","items":{"type":"object","required":["path"],"properties":{"path":{"type":"string"},)"
    R"("text":{"type":"string"},"base64":{"type":"string"},"truncated":{"type":"boolean"},)"
    R"("error":{"type":"string"}}}}}})";
constexpr std::string_view kDone = R"({"type":"object","required":["done"],"properties":{"done":{"const":true}}})";
constexpr std::string_view kText = R"({"type":"object","required":["text"],"properties":{"text":{"type":"string"}}})";

constexpr Tool kTools[] = {
    {"run_code", "Run code",
     "Runs a piece of code in a fresh, disposable environment made from an image, and returns its standard output, "
     "standard error, exit code and the files asked for. The environment is deleted afterwards. The interpreter must "
     "be "
     "in the image.",
     ToolEffect::kAdds, ToolReach::kWorld,
     R"("language":{"enum":["sh","bash","python","node","perl","ruby","php","lua"]},)"
     R"("code":{"type":"string","description":"The program's text, at most 96 KiB"},)" SKERRY_RUN,
     "image language code", "POST", "/api/v1/environments", kRunOutput, run_code_tool},
    {"run_command", "Run a command",
     "Runs a program with its arguments in a fresh, disposable environment made from an image, and returns its "
     "standard "
     "output, standard error, exit code and the files asked for. The environment is deleted afterwards. No shell is "
     "involved unless the command names one.",
     ToolEffect::kAdds, ToolReach::kWorld,
     R"("command":{"type":"array","minItems":1,"items":{"type":"string"},"description":"Program and arguments"},)" SKERRY_RUN,
     "image command", "POST", "/api/v1/environments", kRunOutput, run_command_tool},

    {"list_environments", "List environments", "Lists containers, microVMs and VMs with their states.",
     ToolEffect::kReads, ToolReach::kHost,
     R"("state":{"type":"string","description":"Only those in this state, for example running"},)"
     R"("plugin":{"type":"string"},"deployment":{"type":"string"},"image":{"type":"string"},)" SKERRY_ZONE
     "," SKERRY_ISOLATION "," SKERRY_PAGE,
     "", "GET", "/api/v1/environments", "[]Environment"},
    {"show_environment", "Show an environment", "All that is known of one environment.", ToolEffect::kReads,
     ToolReach::kHost, SKERRY_NAME, "name", "GET", "/api/v1/environments/{name}", "Environment"},
    {"create_environment", "Create an environment",
     "Creates an environment from an image or a plugin and starts it. It stays until it is deleted; for a single "
     "command "
     "use run_command.",
     ToolEffect::kAdds, ToolReach::kHost,
     SKERRY_NAME
     "," SKERRY_IMAGE
     R"(,"plugin":{"type":"string","description":"Plugin, instead of an image: NAME or NAME@VERSION"},)"
     R"("command":{"type":"array","items":{"type":"string"},"description":"What it runs; as the image says when not given"},)"
     R"("ports":{"type":"array","items":{"type":"string"},"description":"Published ports: HOST:GUEST or HOST:GUEST/udp"},)"
     R"("kind":{"enum":["app","disposable","template"],"description":"disposable: its disk is reset on stop"},)"
     R"("restart":{"enum":["no","on-failure","always","unless-stopped"]},)"
     R"("labels":{"type":"object","additionalProperties":{"type":"string"}},)"
     R"("start":{"type":"boolean","description":"Start it at once; true when not given"},)" SKERRY_ENV
     "," SKERRY_ISOLATION "," SKERRY_SIZE "," SKERRY_ZONE,
     "", "POST", "/api/v1/environments", "Environment"},
    {"start_environment", "Start an environment", "Starts an environment that does not run.", ToolEffect::kAddsOnce,
     ToolReach::kHost, SKERRY_NAME, "name", "POST", "/api/v1/environments/{name}/start", "Environment"},
    {"stop_environment", "Stop an environment", "Stops an environment; what does not end in time is killed.",
     ToolEffect::kDestroys, ToolReach::kHost,
     SKERRY_NAME
     R"(,"grace_ms":{"type":"integer","minimum":0,"description":"Time to end by itself; 10000 when not given"})",
     "name", "POST", "/api/v1/environments/{name}/stop", "Environment"},
    {"delete_environment", "Delete an environment",
     "Deletes an environment and its disk for good. One that runs is only deleted with force.", ToolEffect::kDestroys,
     ToolReach::kHost, SKERRY_NAME R"(,"force":{"type":"boolean","description":"Also when it runs"})", "name", "DELETE",
     "/api/v1/environments/{name}", kDone},
    {"exec_in_environment", "Run a command in an environment",
     "Runs a program inside an environment that runs, and returns its output and exit code.", ToolEffect::kDestroys,
     ToolReach::kWorld,
     SKERRY_NAME
     R"(,"command":{"type":"array","minItems":1,"items":{"type":"string"},"description":"Program and arguments"},)" SKERRY_PROCESS
     "," SKERRY_ENV,
     "name command", "POST", "/api/v1/environments/{name}/exec", kRunOutput, exec_tool},
    {"environment_logs", "Read the logs", "What an environment's main process wrote.", ToolEffect::kReads,
     ToolReach::kHost,
     SKERRY_NAME R"(,"tail":{"type":"integer","minimum":1,"description":"Only the last lines"},)"
                 R"("since":{"type":"string","description":"Only what came after this time, as RFC 3339 writes it"})",
     "name", "GET", "/api/v1/environments/{name}/logs", kText},
    {"environment_stats", "Show the use of resources", "CPU, memory, I/O and network that an environment has used.",
     ToolEffect::kReads, ToolReach::kHost, SKERRY_NAME, "name", "GET", "/api/v1/environments/{name}/stats", "Stats"},

    {"list_images", "List images", "Lists the images that are on this host.", ToolEffect::kReads, ToolReach::kHost,
     SKERRY_PAGE, "", "GET", "/api/v1/images", "[]Image"},
    {"pull_image", "Pull an image", "Fetches an image from a registry, or finds that it is here already.",
     ToolEffect::kAddsOnce, ToolReach::kWorld,
     R"("reference":{"type":"string","description":"For example docker.io/library/python:3.12"})", "reference", "POST",
     "/api/v1/images", "Operation", pull_image_tool},

    {"list_plugins", "List plugins", "Lists the installed plugins: named, versioned ways to run an image.",
     ToolEffect::kReads, ToolReach::kHost, SKERRY_PAGE, "", "GET", "/api/v1/plugins", "[]Plugin"},
    {"show_plugin", "Show a plugin's manifest", "The manifest of a plugin as it was installed.", ToolEffect::kReads,
     ToolReach::kHost, R"("name":{"type":"string","description":"Name of the plugin"})", "name", "GET",
     "/api/v1/plugins/{name}/manifest", "Manifest"},

    {"list_deployments", "List deployments", "Lists deployments: plugins or images kept at a number of replicas.",
     ToolEffect::kReads, ToolReach::kHost, SKERRY_PAGE, "", "GET", "/api/v1/deployments", "[]Deployment"},
    {"show_deployment", "Show a deployment", "How many replicas a deployment wants, has, and has ready.",
     ToolEffect::kReads, ToolReach::kHost, R"("name":{"type":"string","description":"Name of the deployment"})", "name",
     "GET", "/api/v1/deployments/{name}", "Deployment"},
    {"create_deployment", "Create a deployment", "Keeps a number of replicas of a plugin running.", ToolEffect::kAdds,
     ToolReach::kHost,
     R"("name":{"type":"string","description":"Name of the deployment; replicas are NAME-1, NAME-2, …"},)"
     R"("plugin":{"type":"string"},"replicas":{"type":"integer","minimum":0,"maximum":1000},)"
     R"("config":{"type":"object","description":"What each replica is: as create_environment takes it, without a name"})",
     "name", "POST", "/api/v1/deployments", "Deployment"},
    {"scale_deployment", "Scale a deployment",
     "Changes the number of replicas; those with the highest numbers go first.", ToolEffect::kDestroys,
     ToolReach::kHost,
     R"("name":{"type":"string","description":"Name of the deployment"},)"
     R"("replicas":{"type":"integer","minimum":0,"maximum":1000})",
     "name replicas", "PATCH", "/api/v1/deployments/{name}", "Deployment"},
    {"delete_deployment", "Delete a deployment", "Deletes a deployment and all of its replicas.", ToolEffect::kDestroys,
     ToolReach::kHost, R"("name":{"type":"string","description":"Name of the deployment"})", "name", "DELETE",
     "/api/v1/deployments/{name}", kDone},

    {"list_snapshots", "List snapshots", "Lists what was kept of environments: their disks, and of some the memory.",
     ToolEffect::kReads, ToolReach::kHost, SKERRY_PAGE, "", "GET", "/api/v1/snapshots", "[]Snapshot"},
    {"create_snapshot", "Take a snapshot",
     "Keeps an environment as it is at this moment under a name: its disk, and of a microVM that runs its memory.",
     ToolEffect::kAdds, ToolReach::kHost,
     R"("environment":{"type":"string","description":"Name of the environment"},)"
     R"("name":{"type":"string","description":"Name of the snapshot"})",
     "environment name", "POST", "/api/v1/environments/{name}/snapshots", "Snapshot", nullptr, "environment"},
    {"restore_snapshot", "Restore a snapshot",
     "Makes the stopped environment that a snapshot was taken of what it was then. What it has become since is lost.",
     ToolEffect::kDestroys, ToolReach::kHost, R"("name":{"type":"string","description":"Name of the snapshot"})",
     "name", "POST", "/api/v1/snapshots/{name}/restore", "Environment"},
    {"delete_snapshot", "Delete a snapshot", "Deletes a snapshot for good.", ToolEffect::kDestroys, ToolReach::kHost,
     R"("name":{"type":"string","description":"Name of the snapshot"})", "name", "DELETE", "/api/v1/snapshots/{name}",
     kDone},

    {"policy_explain", "Explain the policy",
     "Whether one environment may ask something of another, the rule that decided with its file and line, and the "
     "rules "
     "before it that did not match.",
     ToolEffect::kReads, ToolReach::kHost,
     R"("source":{"type":"string","description":"Name of an environment, or @host"},)"
     R"("target":{"type":"string","description":"Name of an environment, @host, @dispvm, or @any for net.egress"},)"
     R"("service":{"type":"string","description":"net.connect, net.egress, clipboard.copy, file.copy, rpc and so on"},)"
     R"("argument":{"type":"string","description":"For example tcp:443; any when not given"})",
     "source target service", "GET", "/api/v1/policy/explain", "PolicyDecision"},

    {"list_events", "List events", "What happened on this host, oldest first.", ToolEffect::kReads, ToolReach::kHost,
     R"("after":{"type":"integer","minimum":0,"description":"Only events with a higher id"},)"
     R"("type":{"type":"string","description":"For example container.started, or container. for all of containers"},)"
     R"("resource":{"type":"string","description":"Only events of what has this name"},)"
     R"("limit":{"type":"integer","minimum":1,"maximum":10000})",
     "", "GET", "/api/v1/events", "[]Event"},
    {"show_system", "Show the host", "The daemon's version, what this host can isolate with, and counts.",
     ToolEffect::kReads, ToolReach::kHost, "", "", "GET", "/api/v1/system", "System"},
};

}  // namespace

std::span<const Tool> tools() { return kTools; }

}  // namespace skerry::api
