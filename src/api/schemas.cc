#include "api/schemas.h"

#include <vector>

#include "api/manifest_schema.h"

namespace skerry::api {
namespace {

constexpr std::string_view kCreate = R"({"type":"object","additionalProperties":false,"properties":{
"name":{"type":"string","pattern":"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},"hostname":{"type":"string"},
"isolation":{"enum":["container","microvm","vm"]},"kind":{"enum":["app","disposable","template"]},
"zone":{"type":"string"},"image":{"type":"string"},"rootfs_path":{"type":"string"},"plugin":{"type":"string"},
"plugin_version":{"type":"string"},
"entrypoint":{"type":"array","items":{"type":"string"}},
"command":{"type":"array","items":{"type":"string"}},
"env":{"type":"object","additionalProperties":{"type":"string"}},"workdir":{"type":"string"},
"user":{"type":"string"},"terminal":{"type":"boolean"},"stdin_open":{"type":"boolean"},
"auto_remove":{"type":"boolean"},"cpu_cores":{"type":"number","exclusiveMinimum":0},
"memory_mb":{"type":"integer","minimum":1},"resources":{"$ref":"#/components/schemas/Resources"},
"security":{"type":"object","additionalProperties":false,"properties":{"read_only_root":{"type":"boolean"},
"user_namespace":{"type":"boolean"},"allow_new_privileges":{"type":"boolean"},"cap_add":{"type":"array","items":{"type":"string"}},
"cap_drop":{"type":"array","items":{"type":"string"}},"seccomp_profile":{"type":"string"}}},
"mounts":{"type":"array","items":{"oneOf":[{"type":"string"},{"$ref":"#/components/schemas/Mount"}]}},
"tmpfs":{"type":"array","items":{"type":"object","additionalProperties":false,"required":["target"],
"properties":{"target":{"type":"string"},"size_mb":{"type":"integer","minimum":1}}}},
"ports":{"type":"array","items":{"oneOf":[{"type":"string"},{"$ref":"#/components/schemas/Port"}]}},
"dns":{"type":"array","items":{"type":"string"}},
"restart":{"oneOf":[{"type":"string"},{"$ref":"#/components/schemas/Restart"}]},
"health_check":{"$ref":"#/components/schemas/HealthCheck"},
"rootfs":{"$ref":"#/components/schemas/Artifact"},"initramfs":{"$ref":"#/components/schemas/Artifact"},
"cloud_init":{"type":"object","additionalProperties":false,"properties":{"user_data":{"type":"string"},
"network_config":{"type":"string"},"vendor_data":{"type":"string"}}},
"devices":{"type":"object","additionalProperties":false,"properties":{
"pci_passthrough":{"type":"array","items":{"type":"string"}},"allowlist":{"type":"array","items":{"type":"string"}}}},
"base_url":{"type":"string"},"actions":{"type":"object","additionalProperties":{
"$ref":"#/components/schemas/WorkloadAction"}},
"labels":{"type":"object","additionalProperties":{"type":"string"}},
"start":{"type":"boolean","default":true},"wait":{"type":"boolean","default":true}}})";

constexpr std::string_view kEnvironment = R"({"type":"object",
"required":["name","plugin","ip","state","resources","id","isolation","kind","zone","image","image_digest","goal",
"health","pid","exit_code","reason","restarts","restarting","crash_looping","created_at","started_at","finished_at"],
"properties":{"name":{"type":"string"},"plugin":{"type":"string"},"plugin_version":{"type":"string"},"ip":{"type":"string"},
"state":{"enum":["created","starting","running","paused","suspended","stopping","stopped","failed","deleting"]},
"resources":{"$ref":"#/components/schemas/Resources"},"id":{"type":"string"},
"isolation":{"enum":["container","microvm","vm"]},"kind":{"enum":["app","disposable","template"]},
"zone":{"type":"string"},"image":{"type":"string"},"image_digest":{"type":"string"},
"goal":{"enum":["stopped","running","paused","suspended","deleted"]},
"health":{"enum":["unknown","healthy","unhealthy"]},"pid":{"type":"integer"},
"exit_code":{"type":["integer","null"]},"reason":{"type":"string"},"restarts":{"type":"integer"},
"restarting":{"type":"boolean"},"crash_looping":{"type":"boolean"},
"created_at":{"type":"string","format":"date-time"},"started_at":{"type":["string","null"]},
"finished_at":{"type":["string","null"]}}})";

constexpr Schema kSchemas[] = {
    {"CreateEnvironment", kCreate},
    {"Environment", kEnvironment},
    {"Resources", R"({"type":"object","properties":{"cpu_cores":{"type":"number","exclusiveMinimum":0},
"memory_mb":{"type":"integer","minimum":1},"pids":{"type":"integer","minimum":1}}})"},
    {"Mount", R"({"type":"object","additionalProperties":false,"required":["source","target"],"properties":{
"source":{"type":"string"},"target":{"type":"string"},"readonly":{"type":"boolean"}}})"},
    {"Port", R"({"type":"object","additionalProperties":false,"required":["host_port","guest_port"],"properties":{
"host_ip":{"type":"string"},"host_port":{"type":"integer","minimum":1,"maximum":65535},
"guest_port":{"type":"integer","minimum":1,"maximum":65535},"protocol":{"enum":["tcp","udp"]}}})"},
    {"Restart", R"({"type":"object","additionalProperties":false,"properties":{
"policy":{"enum":["no","on-failure","always","unless-stopped"]},"max":{"type":"integer"},
"backoff_ms":{"type":"integer"}}})"},
    {"HealthCheck", R"({"type":"object","additionalProperties":false,"properties":{
"probe":{"enum":["http","tcp","exec"]},"endpoint":{"type":"string"},
"command":{"type":"array","items":{"type":"string"}},"interval_ms":{"type":"integer"},
"timeout_ms":{"type":"integer"},"retries":{"type":"integer"}}})"},
    {"Artifact", R"({"type":"object","additionalProperties":false,"required":["url","checksum"],"properties":{
"url":{"type":"string"},"checksum":{"type":"string","pattern":"^sha256:[0-9a-f]{64}$"},
"format":{"type":"string"}}})"},
    {"WorkloadAction", R"({"type":"object","additionalProperties":false,"required":["path"],"properties":{
"description":{"type":"string"},"method":{"enum":["GET","POST","PUT","DELETE"]},"path":{"type":"string"},
"timeout_ms":{"type":"integer","minimum":1}}})"},
    {"Grace", R"({"type":"object","additionalProperties":false,"properties":{
"grace_ms":{"type":"integer","minimum":0}}})"},
    {"Kill", R"({"type":"object","additionalProperties":false,"properties":{
"signal":{"oneOf":[{"type":"string"},{"type":"integer"}]}}})"},
    {"Exec", R"({"type":"object","additionalProperties":false,"required":["command"],"properties":{
"command":{"type":"array","items":{"type":"string"},"minItems":1},
"env":{"type":"object","additionalProperties":{"type":"string"}},"workdir":{"type":"string"},
"user":{"type":"string"},"terminal":{"type":"boolean"},"columns":{"type":"integer"},"rows":{"type":"integer"},
"stdin":{"type":"string"},"timeout_ms":{"type":"integer"}}})"},
    {"ExecResult", R"({"type":"object","required":["exit_code","stdout","stderr","truncated"],"properties":{
"exit_code":{"type":"integer"},"stdout":{"type":"string"},"stderr":{"type":"string"},
"truncated":{"type":"boolean"}}})"},
    {"Copy", R"({"type":"object","additionalProperties":false,"required":["direction","path"],"properties":{
"direction":{"enum":["in","out"]},"path":{"type":"string","pattern":"^/"},"top":{"type":"string"},
"follow":{"type":"boolean"},"owners":{"type":"boolean"},
"xattrs":{"type":"boolean"},"sparse":{"type":"boolean"}}})"},
    {"Stats", R"({"type":"object","required":["name","time"],"properties":{"name":{"type":"string"},
"time":{"type":"string"},"cpu_ns":{"type":["integer","null"]},"memory_bytes":{"type":["integer","null"]},
"memory_peak_bytes":{"type":["integer","null"]},"memory_limit_bytes":{"type":"integer"},
"pids":{"type":["integer","null"]},"io_read_bytes":{"type":["integer","null"]},
"io_write_bytes":{"type":["integer","null"]},"net_rx_bytes":{"type":["integer","null"]},
"net_tx_bytes":{"type":["integer","null"]}}})"},
    {"Image", R"({"type":"object","required":["name","id","digest","size","layers"],"properties":{
"name":{"type":"string"},"id":{"type":"string"},"digest":{"type":"string"},"size":{"type":"integer"},
"layers":{"type":"integer"},"created":{"type":"string"},"os":{"type":"string"},
"architecture":{"type":"string"}}})"},
    {"ImageDetail", R"({"type":"object","required":["image","config","layers","used_by","raw_config"],"properties":{
"image":{"$ref":"#/components/schemas/Image"},"config":{"type":"object"},"layers":{"type":"array"},
"used_by":{"type":"array","items":{"type":"string"}},"raw_config":{"type":"object"}}})"},
    {"Pull", R"({"type":"object","additionalProperties":false,"required":["reference"],"properties":{
"reference":{"type":"string"},"insecure":{"type":"boolean"}}})"},
    {"Push", R"({"type":"object","additionalProperties":false,"required":["image"],"properties":{
"image":{"type":"string"},"target":{"type":"string"},"insecure":{"type":"boolean"}}})"},
    {"Archive", R"({"type":"object","additionalProperties":false,"required":["path"],"properties":{
"path":{"type":"string","pattern":"^/"},"name":{"type":"string"}}})"},
    {"Import", R"({"type":"object","additionalProperties":false,"required":["path","name"],"properties":{
"path":{"type":"string","pattern":"^/"},"name":{"type":"string"},"command":{"type":"array","items":{"type":"string"}}}})"},
    {"BuildImage", R"({"type":"object","additionalProperties":false,"required":["path","output"],"properties":{
"path":{"type":"string","pattern":"^/"},"output":{"type":"string","pattern":"^/"},
"signing_key":{"type":"string","pattern":"^/"},"insecure":{"type":"boolean"}}})"},
    {"Tag", R"({"type":"object","additionalProperties":false,"required":["source","name"],"properties":{
"source":{"type":"string"},"name":{"type":"string"}}})"},
    {"Kernel", R"({"type":"object","required":["name","release","origin","chosen","created_at","has_boot_initramfs"],
"properties":{"name":{"type":"string"},"release":{"type":"string"},"origin":{"enum":["host","added","built"]},
"chosen":{"type":"boolean"},"created_at":{"type":"string","format":"date-time"},"has_boot_initramfs":{"type":"boolean"},
"vmlinux":{"$ref":"#/components/schemas/KernelFile"},"bzImage":{"$ref":"#/components/schemas/KernelFile"}}})"},
    {"KernelFile", R"({"type":"object","required":["path","size"],"properties":{"path":{"type":"string"},
"size":{"type":"integer"},"digest":{"type":"string"}}})"},
    {"AddKernel", R"({"type":"object","additionalProperties":false,"required":["name","path"],"properties":{
"name":{"type":"string","maxLength":64},"path":{"type":"string","pattern":"^/"}}})"},
    {"BuildKernel", R"({"type":"object","additionalProperties":false,"properties":{
"name":{"type":"string","maxLength":64},"source":{"type":"string","pattern":"^/"},
"config":{"type":"string","pattern":"^/"}}})"},
    {"ChooseKernel", R"({"type":"object","additionalProperties":false,"properties":{
"name":{"type":"string","maxLength":64}}})"},
    {"Start", R"({"type":"object","additionalProperties":false,"properties":{
"wait":{"type":"boolean","default":false}}})"},
    {"Removed", R"({"type":"object","additionalProperties":{"type":"string"}})"},
    {"Event", R"({"type":"object","required":["id","type","resource","time","data"],"properties":{
"id":{"type":"integer"},"type":{"type":"string"},"resource":{"type":"string"},"time":{"type":"string"},
"data":{"type":"object","additionalProperties":{"type":"string"}}}})"},
    {"Operation", R"({"type":"object","required":["id","kind","subject","state","stage","done","total","version",
"result","error","started_at","finished_at"],"properties":{"id":{"type":"string"},"kind":{"type":"string"},
"subject":{"type":"string"},"state":{"enum":["running","succeeded","failed","cancelled"]},
"stage":{"type":"string"},"done":{"type":"integer"},"total":{"type":"integer"},"version":{"type":"integer"},
"result":{"type":"object","additionalProperties":{"type":"string"}},
"error":{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/Problem"}]},"started_at":{"type":"string"},
"finished_at":{"type":["string","null"]}}})"},
    {"Plugin",
     R"({"type":"object","required":["name","version","runtime","enabled","default","created_at"],"properties":{
"name":{"type":"string"},"version":{"type":"string"},"runtime":{"type":"string"},"enabled":{"type":"boolean"},
"default":{"type":"boolean"},"created_at":{"type":"string"},
"warm_pool":{"type":"object","required":["mode","size","ready","memory_bytes","taken","problem"],"properties":{
"mode":{"enum":["parked","warmed"]},"size":{"type":"integer"},"ready":{"type":"integer"},
"memory_bytes":{"type":"integer"},"taken":{"type":"integer"},"problem":{"type":"string"}}}}})"},
    {"Deployment", R"({"type":"object","required":["name","plugin","replicas","current","ready","config","created_at"],
"properties":{"name":{"type":"string"},"plugin":{"type":"string"},"plugin_version":{"type":"string"},
"replicas":{"type":"integer"},
"current":{"type":"integer"},"ready":{"type":"integer"},"reason":{"type":"string"},"config":{"type":"object"},
"max_unavailable":{"type":"integer"},"rolling":{"type":"boolean"},
"service":{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/Service"}]},"previous":{"type":["object","null"]},
"created_at":{"type":"string"}}})"},
    {"CreateDeployment", R"({"type":"object","additionalProperties":false,"required":["name"],"properties":{
"name":{"type":"string"},"plugin":{"type":"string"},"plugin_version":{"type":"string"},
"replicas":{"type":"integer","minimum":0,"maximum":1000},
"max_unavailable":{"type":"integer","minimum":1},
"service":{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/Service"}]},
"config":{"$ref":"#/components/schemas/CreateEnvironment"}}})"},
    {"Service", R"({"type":"object","additionalProperties":false,"required":["ports"],"properties":{
"address":{"type":"string"},"ports":{"type":"array","minItems":1,"maxItems":64,"items":{"type":"string",
"pattern":"^[0-9]{1,5}(:[0-9]{1,5})?(/tcp|/udp)?$"}}}})"},
    {"ChangeDeployment", R"({"type":"object","additionalProperties":false,"properties":{
"replicas":{"type":"integer","minimum":0,"maximum":1000},"plugin":{"type":"string"},"plugin_version":{"type":"string"},
"max_unavailable":{"type":"integer","minimum":1},
"service":{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/Service"}]},
"config":{"$ref":"#/components/schemas/CreateEnvironment"}}})"},
    {"Action", R"({"type":"object","required":["name","description","method","path","timeout_ms"],"properties":{
"name":{"type":"string"},"description":{"type":"string"},"method":{"type":"string"},"path":{"type":"string"},
"timeout_ms":{"type":"integer"}}})"},
    {"ActionResult", R"({"type":"object","required":["status","content_type","body"],"properties":{
"status":{"type":"integer"},"content_type":{"type":"string"},"body":{"type":"string"}}})"},
    {"Snapshot", R"({"type":"object","required":["name","environment","zone","image","plugin","memory","size",
"created_at"],"properties":{"name":{"type":"string"},"environment":{"type":"string"},"zone":{"type":"string"},
"image":{"type":"string"},"plugin":{"type":"string"},"memory":{"type":"boolean"},"size":{"type":"integer"},
"created_at":{"type":"string"}}})"},
    {"TakeSnapshot", R"({"type":"object","additionalProperties":false,"required":["name"],"properties":{
"name":{"type":"string","pattern":"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}}})"},
    {"Fork", R"({"type":"object","additionalProperties":false,"required":["name"],"properties":{
"name":{"type":"string","pattern":"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},
"ports":{"type":"array","items":{"oneOf":[{"type":"string"},{"$ref":"#/components/schemas/Port"}]}}}})"},
    {"Zone", R"({"type":"object","required":["name","colour","bridge","subnet","gateway","pool_first","pool_last","dns",
"egress","isolated","default_policy","environments","trouble","created_at"],"properties":{"name":{"type":"string"},
"colour":{"type":"string"},"bridge":{"type":"string"},"subnet":{"type":"string"},"gateway":{"type":"string"},
"pool_first":{"type":"string"},"pool_last":{"type":"string"},"dns":{"type":"array","items":{"type":"string"}},
"egress":{"enum":["none","nat"]},"isolated":{"type":"boolean"},"default_policy":{"const":"deny"},
"environments":{"type":"integer"},"trouble":{"type":"string"},"created_at":{"type":"string"}}})"},
    {"CreateZone", R"({"type":"object","additionalProperties":false,"required":["name"],"properties":{
"name":{"type":"string","pattern":"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"},"colour":{"type":"string"},
"bridge":{"type":"string"},"subnet":{"type":"string"},"pool_first":{"type":"string"},"pool_last":{"type":"string"},
"dns":{"type":"array","maxItems":8,"items":{"type":"string"}},"egress":{"enum":["none","nat"]},
"isolated":{"type":"boolean"},"default_policy":{"const":"deny"}}})"},
    {"Policy",
     R"({"type":"object","required":["directory","read_at","malformed","files","problems","rules"],"properties":{
"directory":{"type":"string"},"read_at":{"type":"string"},"malformed":{"type":"boolean"},
"files":{"type":"array","items":{"type":"string"}},"problems":{"type":"array","items":{"type":"object",
"required":["file","line","column","what","text"],"properties":{"file":{"type":"string"},"line":{"type":"integer"},
"column":{"type":"integer"},"what":{"type":"string"},"text":{"type":"string"}}}},
"rules":{"type":"array","items":{"$ref":"#/components/schemas/PolicyRule"}}}})"},
    {"PolicyRule", R"({"type":"object","required":["file","line","rule"],"properties":{"file":{"type":"string"},
"line":{"type":"integer"},"rule":{"type":"string"},"service":{"type":"string"},"argument":{"type":"string"},
"source":{"type":"string"},"target":{"type":"string"},"answer":{"enum":["allow","deny","ask"]},
"why":{"type":"string"}}})"},
    {"PolicyDecision",
     R"({"type":"object","required":["answer","reason","enforced","service","argument","source","target",
"goes_to","user","notify","decided_by","passed"],"properties":{"answer":{"enum":["allow","deny","ask"]},
"reason":{"type":"string"},"enforced":{"type":"boolean"},"service":{"type":"string"},"argument":{"type":"string"},
"source":{"type":"string"},"target":{"type":"string"},"goes_to":{"type":"string"},"user":{"type":"string"},
"notify":{"type":"boolean"},"decided_by":{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/PolicyRule"}]},
"passed":{"type":"array","items":{"$ref":"#/components/schemas/PolicyRule"}}}})"},
    {"Token", R"({"type":"object","required":["name","role","zones","created_at"],"properties":{
"name":{"type":"string"},"role":{"enum":["viewer","operator","admin"]},
"zones":{"type":"array","items":{"type":"string"}},"created_at":{"type":"string"}}})"},
    {"CreateToken", R"({"type":"object","additionalProperties":false,"required":["name"],"properties":{
"name":{"type":"string"},"role":{"enum":["viewer","operator","admin"]},
"zones":{"type":"array","items":{"type":"string"}}}})"},
    {"NewToken", R"({"type":"object","required":["name","role","zones","created_at","token"],"properties":{
"name":{"type":"string"},"role":{"type":"string"},"zones":{"type":"array"},"created_at":{"type":"string"},
"token":{"type":"string"}}})"},
    {"Health", R"({"type":"object","required":["status","version"],"properties":{
"status":{"const":"ok"},"version":{"type":"string"}}})"},
    {"System", R"({"type":"object","required":["version","pid","uptime_ms","kernel","isolations","environments",
"images","last_event_id"],"properties":{"version":{"type":"string"},"pid":{"type":"integer"},
"uptime_ms":{"type":"integer"},"kernel":{"type":"string"},"architecture":{"type":"string"},
"isolations":{"type":"object","additionalProperties":{"type":"object","required":["available","reason"]}},
"environments":{"type":"object"},"state":{"type":["object","null"],"properties":{"directory":{"type":"string"},
"free_bytes":{"type":"integer"}}},"images":{"type":"integer"},"last_event_id":{"type":"integer"}}})"},
    {"Problem", R"({"type":"object","required":["type","title","status","detail","error","code"],"properties":{
"type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},"detail":{"type":"string"},
"error":{"type":"string"},"code":{"type":"string"},"hint":{"type":"string"},"instance":{"type":"string"}}})"},
};

}  // namespace

std::span<const Schema> schemas() {
  static const std::vector<Schema> all = [] {
    std::vector<Schema> out(std::begin(kSchemas), std::end(kSchemas));
    out.push_back({"Manifest", manifest_schema()});
    return out;
  }();
  return all;
}

}  // namespace skerry::api
