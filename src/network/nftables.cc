#include "network/nftables.h"

#include <nftables/libnftables.h>

#include "base/log.h"
#include "base/text.h"

namespace skerry::network {
namespace {

// nftables' complaint without the marked line of input that follows it.
std::string first_line(const char* text) {
  const std::string_view all(text == nullptr ? "" : text);
  return std::string(trim(all.substr(0, all.find('\n'))));
}

}  // namespace

Result<std::unique_ptr<Nftables>> Nftables::open() {
  nft_ctx* context = nft_ctx_new(NFT_CTX_DEFAULT);
  if (context == nullptr) return fail(ErrorCode::kResourceExhausted, "open nftables");
  std::unique_ptr<Nftables> self(new Nftables(context));
  nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_STATELESS);
  if (nft_ctx_buffer_output(context) != 0 || nft_ctx_buffer_error(context) != 0) {
    return fail(ErrorCode::kResourceExhausted, "open nftables: no memory for its output");
  }
  return self;
}

Nftables::~Nftables() { nft_ctx_free(context_); }

Result<std::string> Nftables::run(const std::string& commands, std::string_view step) {
  const std::lock_guard lock(mutex_);
  const int outcome = nft_run_cmd_from_buffer(context_, commands.c_str());
  // Reading a buffer also empties it for the next call.
  const char* output = nft_ctx_get_output_buffer(context_);
  std::string text(output == nullptr ? "" : output);
  const std::string complaint = first_line(nft_ctx_get_error_buffer(context_));
  if (outcome == 0) return text;
  const bool refused = complaint.find("Operation not permitted") != std::string::npos;
  return fail(refused ? ErrorCode::kPermissionDenied : ErrorCode::kIo, std::string(step), complaint);
}

Status Nftables::apply(const Ruleset& ruleset) {
  TRY(run(ruleset.commands, cat("load firewall table ", ruleset.table)));
  return {};
}

Status Nftables::remove(const std::string& table) {
  std::string commands;
  for (const auto* family : {"inet", "bridge"}) {
    commands += cat("add table ", family, ' ', table, "\ndelete table ", family, ' ', table, '\n');
  }
  TRY(run(commands, cat("remove firewall table ", table)));
  return {};
}

Status Firewall::apply(const FirewallState& wanted) {
  const std::lock_guard lock(mutex_);
  if (loaded_ && loaded_->table == wanted.table) return load(TRY(render_change(*loaded_, wanted)), wanted);
  const auto whole = TRY(render(wanted));
  loaded_.reset();
  TRY(nftables_.apply(whole));
  loaded_ = wanted;
  return {};
}

Status Firewall::change(const FirewallState& gone, const FirewallState& fresh) {
  const std::lock_guard lock(mutex_);
  const bool known =
      loaded_ && loaded_->bridges.size() == gone.bridges.size() && loaded_->bridges.size() == fresh.bridges.size();
  if (!known) return fail(ErrorCode::kInternal, "firewall: a change of what was not loaded");
  auto wanted = changed(*loaded_, gone, fresh);
  const auto commands = TRY(render_change(*loaded_, wanted, gone, fresh));
  return load(commands, std::move(wanted));
}

Status Firewall::load(const Ruleset& change, FirewallState wanted) {
  if (!change.commands.empty() && !nftables_.apply(change)) {
    log::warning("the firewall table is not as it was loaded; replacing it", {{"table", wanted.table}});
    const auto whole = TRY(render(wanted));
    loaded_.reset();
    TRY(nftables_.apply(whole));
  }
  loaded_ = std::move(wanted);
  return {};
}

Status Firewall::remove() {
  const std::lock_guard lock(mutex_);
  if (!loaded_) return {};
  TRY(nftables_.remove(loaded_->table));
  loaded_.reset();
  return {};
}

Result<std::string> Nftables::list(const std::string& table) {
  const std::string all = TRY(run("list tables", "list firewall tables"));
  std::string text;
  for (const auto* family : {"inet", "bridge"}) {
    const std::string name = cat("table ", family, ' ', table, '\n');
    if (all.find(name) != std::string::npos) text += TRY(run(cat("list ", name), cat("list firewall table ", table)));
  }
  return text;
}

}  // namespace skerry::network
