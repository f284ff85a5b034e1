#include "api/environment_documents.h"

#include "wire/environment_json.h"
#include "wire/hidden_texts.h"

namespace skerry::api {
namespace {

constexpr std::size_t kSpare = 64;
constexpr std::size_t kUsualSize = 1024;  // of a document: what to make room for

}  // namespace

std::string EnvironmentDocuments::list(const EnvironmentViews& views) {
  std::string out;
  out.reserve(views.size() * kUsualSize + 2);
  out += '[';
  const std::lock_guard lock(mutex_);
  for (const auto& view : views) {
    if (out.size() > 1) out += ',';
    out += document(view);
  }
  out += ']';
  forget_outdated(views.size());
  return out;
}

const std::string& EnvironmentDocuments::document(const EnvironmentView& view) {
  auto& entry = entries_[view.get()];
  if (!entry.view) entry = {view, wire::without_secrets(wire::environment_json(*view))};
  return entry.json;
}

// One that nobody else holds has been replaced by a newer one, or is gone. Looking for these costs as much as a list:
// it is done when they may be as many as what is in use.
void EnvironmentDocuments::forget_outdated(std::size_t in_use) {
  if (entries_.size() <= 2 * in_use + kSpare) return;
  std::erase_if(entries_, [](const auto& each) { return each.second.view.use_count() == 1; });
}

std::size_t EnvironmentDocuments::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace skerry::api
