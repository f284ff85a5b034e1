#include "api/token_store.h"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <array>

#include "base/crash_point.h"
#include "base/file_io.h"
#include "base/text.h"
#include "wire/json_node.h"
#include "wire/json_writer.h"
#include "wire/manifest_codec.h"

namespace skerry::api {
namespace {

constexpr std::string_view kPrefix = "skt_";
constexpr std::size_t kSecretBytes = 32;

std::string hash_of(std::string_view secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  ::EVP_Digest(secret.data(), secret.size(), digest.data(), &size, ::EVP_sha256(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest.data()), size});
}

Result<Token> parse_token(const wire::JsonNode& node) {
  Token token;
  token.name = node.text("name");
  token.role = TRY(parse_role(node.text("role")));
  for (const auto& zone : node.at("zones").items()) token.zones.push_back(zone.text());
  token.hash = node.text("sha256");
  token.created_at = TRY(parse_rfc3339(node.text("created_at")));
  if (token.name.empty() || token.hash.size() != 64) return fail(ErrorCode::kCorrupt, "a token without name or hash");
  return token;
}

}  // namespace

Result<std::unique_ptr<TokenStore>> TokenStore::open(std::string path) {
  std::unique_ptr<TokenStore> store(new TokenStore(std::move(path)));
  if (store->path_.empty()) return store;
  auto text = read_file(store->path_);
  if (!text) {
    if (text.error().code == ErrorCode::kNotFound) return store;
    return fail(std::move(text).error());
  }
  const auto json = wire::JsonNode::parse(*text, store->path_);
  if (!json) return fail(ErrorCode::kCorrupt, json.error().message(), "remove the file: every token is then void");
  for (const auto& item : json->at("tokens").items()) {
    auto token = parse_token(item);
    if (!token) return fail(ErrorCode::kCorrupt, cat(store->path_, ": ", token.error().message()));
    store->tokens_.push_back(std::move(*token));
  }
  return store;
}

Status TokenStore::save() {
  if (path_.empty()) return fail(ErrorCode::kUnsupported, "this daemon keeps no tokens");
  wire::JsonWriter json;
  json.begin_object().key("tokens").begin_array();
  for (const auto& token : tokens_) {
    json.begin_object()
        .field("name", token.name)
        .field("role", to_text(token.role))
        .field("zones", token.zones)
        .field("sha256", token.hash)
        .field("created_at", to_rfc3339(token.created_at))
        .end_object();
  }
  json.end_array().end_object();
  TRY(write_file_atomic(path_, std::move(json).text(), 0600, Durability::kPowerLoss));
  crash_point("the tokens are written");
  return {};
}

Result<std::string> TokenStore::create(const std::string& name, Role role, std::vector<std::string> zones,
                                       WallTime now) {
  if (!is_dns_label(name)) return fail(ErrorCode::kInvalidArgument, cat("name: \"", name, "\" is not a valid name"));
  std::string bytes(kSecretBytes, '\0');
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return fail_errno("getrandom");
  std::string secret = cat(kPrefix, wire::base64url_encode(bytes));
  const std::lock_guard lock(mutex_);
  if (std::ranges::any_of(tokens_, [&](const Token& each) { return each.name == name; })) {
    return fail(ErrorCode::kAlreadyExists, cat("there is a token \"", name, "\" already"), "revoke it first");
  }
  tokens_.push_back({name, role, std::move(zones), hash_of(secret), now});
  if (auto saved = save(); !saved) {
    tokens_.pop_back();
    return fail(std::move(saved).error());
  }
  return secret;
}

Status TokenStore::revoke(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto kept = tokens_;
  if (std::erase_if(tokens_, [&](const Token& each) { return each.name == name; }) == 0) {
    return fail(ErrorCode::kNotFound, cat("there is no token \"", name, "\""), "see: skerry token ls");
  }
  auto saved = save();
  if (!saved) tokens_ = kept;
  return saved;
}

std::vector<Token> TokenStore::list() {
  const std::lock_guard lock(mutex_);
  return tokens_;
}

std::optional<Caller> TokenStore::find(std::string_view secret) {
  if (!secret.starts_with(kPrefix)) return std::nullopt;
  // Hashes are compared, not secrets: how many of their letters agree tells a guesser nothing.
  const std::string hash = hash_of(secret);
  const std::lock_guard lock(mutex_);
  for (const auto& token : tokens_) {
    if (token.hash == hash) return Caller{cat("token ", token.name), token.role, token.zones};
  }
  return std::nullopt;
}

}  // namespace skerry::api
