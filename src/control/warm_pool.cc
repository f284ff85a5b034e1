#include "control/warm_pool.h"

#include <algorithm>
#include <numeric>

#include "base/log.h"
#include "base/text.h"

namespace skerry {
namespace {

// Whoever has just taken one has the processors for himself until then.
constexpr auto kRefillAfter = std::chrono::milliseconds(500);
constexpr auto kRetryAfter = std::chrono::seconds(60);
constexpr std::uint64_t kMib = 1U << 20U;
// What one takes before any was measured.
constexpr std::uint64_t kGuessBytes = 48 * kMib;
constexpr std::size_t kRemembered = 64;

bool is_of(const WarmShape& a, const WarmShape& b) {
  return a.wish.mode == b.wish.mode && a.spare == b.spare && a.image_digest == b.image_digest && a.zone == b.zone &&
         same_shape(a.spec, b.spec);
}

}  // namespace

std::string WarmShape::key() const {
  if (!spare) return spec.plugin;
  const auto& disk = spec.root_disk;
  return cat("|", spec.plugin, "|", image_digest, "|", disk ? disk->checksum : "", "|", spec.zone, "|",
             spec.resources.cpu_milli, "|", spec.resources.memory_mib);
}

WarmPool::WarmPool(WarmPoolPorts ports, std::uint64_t budget_mib)
    : ports_(std::move(ports)), budget_bytes_(budget_mib * kMib), thread_([this] { work(); }) {}

void WarmPool::close() {
  const std::lock_guard once(close_mutex_);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  Places left;
  {
    const std::lock_guard lock(mutex_);
    left.swap(returned_);
    for (const auto& each : ready_) left.push_back(each.place);
    ready_.clear();
  }
  remove(left);
}

std::optional<std::string> WarmPool::take(const EnvironmentSpec& spec, const std::string& image_digest,
                                          const Zone& zone) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(ready_, [&](const Ready& each) {
    return each.shape.image_digest == image_digest && each.shape.zone == zone && same_shape(each.shape.spec, spec);
  });
  if (found == ready_.end()) return std::nullopt;
  std::string id = found->place.id;
  taken_.push_back(found->place);
  if (taken_.size() > kRemembered) taken_.erase(taken_.begin());
  if (found->shape.spare) ++spares_taken_;
  if (const auto status = status_.find(found->shape.key()); status != status_.end()) ++status->second.taken;
  ready_.erase(found);
  quiet_until_ = std::chrono::steady_clock::now() + kRefillAfter;
  asked_ = true;
  wake_.notify_all();
  return id;
}

void WarmPool::give_back(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(taken_, id, &EnvironmentPlace::id);
  if (found == taken_.end()) return;
  returned_.push_back(*found);
  taken_.erase(found);
  asked_ = true;
  wake_.notify_all();
}

void WarmPool::make_room(std::uint64_t spare_mib) {
  Places doomed;
  {
    const std::lock_guard lock(mutex_);
    doomed = too_much(spare_mib * kMib);
  }
  remove(doomed);
}

std::vector<WarmPoolStatus> WarmPool::status() {
  const std::lock_guard lock(mutex_);
  std::vector<WarmPoolStatus> out;
  WarmPoolStatus spares;
  spares.wish = {WarmMode::kWarmed, 0};
  spares.taken = spares_taken_;
  for (const auto& [key, known] : status_) {
    const bool spare = known.plugin.empty();
    auto& each = spare ? spares : out.emplace_back(known);
    if (spare) spares.wish.size += known.wish.size;
    for (const auto& ready : ready_) {
      if (ready.shape.key() != key) continue;
      ++each.ready;
      each.memory_bytes += ready.memory_bytes;
    }
  }
  if (spares.wish.size > 0 || spares.taken > 0) out.push_back(std::move(spares));
  return out;
}

// ── the thread ──

void WarmPool::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (wake_.wait_until(lock, quiet_until_, [this] { return stopping_; })) return;
    asked_ = false;
    lock.unlock();
    look();
    lock.lock();
    wake_.wait_for(lock, ports_.look_again, [this] { return stopping_ || asked_; });
  }
}

void WarmPool::look() {
  auto wanted = ports_.wanted();
  if (!wanted) {
    log::warning("warm pool", {{"error", wanted.error().message()}});
    return;
  }
  measure();
  const std::uint64_t limit = std::min(budget_bytes_, ports_.spare_mib() * kMib);
  Places doomed;
  {
    const std::lock_guard lock(mutex_);
    keep_spares_small(*wanted, limit);
    doomed = unwanted(*wanted);
    for (auto& place : too_much(limit)) doomed.push_back(std::move(place));
  }
  remove(doomed);
  fill(*wanted, limit);
}

// What has ended is forgotten here and removed as if nobody wanted it.
void WarmPool::measure() {
  std::vector<EnvironmentPlace> places;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& each : ready_) places.push_back(each.place);
  }
  for (const auto& place : places) {
    const auto observed = ports_.driver.observe(place);
    const auto usage = ports_.driver.stats(place);
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(ready_, place.id, [](const Ready& each) { return each.place.id; });
    if (found == ready_.end()) continue;  // taken meanwhile
    if (!usage || !observed || observed->phase != Phase::kAbsent) {
      log::warning("warm pool: a machine has ended", {{"shape", found->shape.key()}, {"id", place.id}});
      returned_.push_back(place);
      ready_.erase(found);
      continue;
    }
    found->memory_bytes = usage->memory_bytes.value_or(kGuessBytes);
    cost_bytes_[found->shape.wish.mode] = found->memory_bytes;
  }
}

void WarmPool::note_wishes(const std::vector<WarmShape>& wanted) {
  const auto now = std::chrono::steady_clock::now();
  for (auto& [key, status] : status_) status.wish.mode = WarmMode::kOff;
  for (const auto& shape : wanted) {
    auto& status = status_[shape.key()];
    if (!shape.spare) status.plugin = shape.spec.plugin;
    status.wish = shape.wish;
    // What a preparation failed of stands until the next one.
    if (!shape.problem.empty() || now >= retry_at_[shape.key()]) status.problem = shape.problem;
  }
  std::erase_if(status_, [](const auto& each) { return each.second.wish.mode == WarmMode::kOff; });
  std::erase_if(retry_at_, [&](const auto& each) { return !status_.contains(each.first); });
}

// Taken out of the list first: nobody takes what is being removed.
WarmPool::Places WarmPool::unwanted(const std::vector<WarmShape>& wanted) {
  Places doomed;
  doomed.swap(returned_);
  note_wishes(wanted);
  std::map<const WarmShape*, std::uint32_t> counts;
  std::erase_if(ready_, [&](const Ready& each) {
    const auto shape = std::ranges::find_if(
        wanted, [&](const WarmShape& wish) { return wish.problem.empty() && is_of(wish, each.shape); });
    const bool keep = shape != wanted.end() && ++counts[&*shape] <= shape->wish.size;
    if (!keep) doomed.push_back(each.place);
    return !keep;
  });
  return doomed;
}

// Of the memory that all wishes would take, fulfilled, spares have nothing; those asked for least lately go first.
void WarmPool::keep_spares_small(std::vector<WarmShape>& wanted, std::uint64_t limit_bytes) {
  std::uint64_t taken = 0;
  std::erase_if(wanted, [&](const WarmShape& shape) {
    if (shape.problem.empty()) taken += shape.wish.size * cost_of(shape.wish.mode);
    return shape.spare && taken > limit_bytes;
  });
}

// The newest go first.
WarmPool::Places WarmPool::too_much(std::uint64_t limit_bytes) {
  Places doomed;
  while (!ready_.empty() && used_bytes() > limit_bytes) {
    doomed.push_back(ready_.back().place);
    ready_.pop_back();
  }
  return doomed;
}

// In turns: each plugin gets its first one before any gets its second.
void WarmPool::fill(const std::vector<WarmShape>& wanted, std::uint64_t limit_bytes) {
  for (bool more = true; more;) {
    more = false;
    for (const auto& shape : wanted) {
      if (shape.problem.empty() && fill_one(shape, limit_bytes)) more = true;
    }
  }
}

// Whether there is one more now.
bool WarmPool::fill_one(const WarmShape& shape, std::uint64_t limit_bytes) {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || asked_ || count(shape) >= shape.wish.size || now < retry_at_[shape.key()]) return false;
    auto why_not = obstacle(shape, limit_bytes);
    status_[shape.key()].problem = why_not;
    if (!why_not.empty()) return false;
  }
  const auto prepared = prepare(shape);
  tell(shape, prepared ? "" : prepared.error().message());
  return prepared.has_value();
}

void WarmPool::tell(const WarmShape& shape, const std::string& problem) {
  const std::lock_guard lock(mutex_);
  auto& status = status_[shape.key()];
  if (!problem.empty()) {
    log::warning("warm pool", {{"shape", shape.key()}, {"error", problem}});
    retry_at_[shape.key()] = std::chrono::steady_clock::now() + kRetryAfter;
  }
  status.problem = problem;
}

// Why there is no room for one more like those there are.
std::string WarmPool::obstacle(const WarmShape& shape, std::uint64_t limit_bytes) const {
  if (used_bytes() + cost_of(shape.wish.mode) <= limit_bytes) return {};
  return limit_bytes < budget_bytes_ ? "the host's memory is promised to others"
                                     : cat("no room in ", budget_bytes_ / kMib, " MiB (--warm-pool-mb)");
}

std::uint64_t WarmPool::cost_of(WarmMode mode) const {
  const auto known = cost_bytes_.find(mode);
  return known == cost_bytes_.end() ? kGuessBytes : known->second;
}

std::uint64_t WarmPool::used_bytes() const {
  return std::accumulate(ready_.begin(), ready_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const Ready& each) { return sum + each.memory_bytes; });
}

std::uint32_t WarmPool::count(const WarmShape& shape) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(ready_, [&](const Ready& each) { return is_of(each.shape, shape); }));
}

Status WarmPool::prepare(const WarmShape& shape) {
  const Launch launch = TRY(ports_.launch(shape));
  TRY(ports_.driver.prepare(launch, shape.wish.mode));
  const auto usage = ports_.driver.stats(launch.place);
  const std::uint64_t bytes = usage ? usage->memory_bytes.value_or(kGuessBytes) : kGuessBytes;
  const std::lock_guard lock(mutex_);
  cost_bytes_[shape.wish.mode] = bytes;
  ready_.push_back({launch.place, shape, bytes});
  return {};
}

void WarmPool::remove(const Places& places) {
  for (const auto& place : places) {
    if (auto gone = ports_.driver.destroy(place); !gone) {
      log::warning("warm pool: remains", {{"id", place.id}, {"error", gone.error().message()}});
      // Tried again at the next look around; what is left at the end the next daemon finds.
      const std::lock_guard lock(mutex_);
      returned_.push_back(place);
    }
  }
}

}  // namespace skerry
