#include "core/image.h"

#include <algorithm>

#include "base/text.h"

namespace skerry {
namespace {

constexpr std::string_view kDefaultRegistry = "docker.io";
constexpr std::string_view kDefaultNamespace = "library/";
constexpr std::string_view kDefaultTag = "latest";
constexpr std::size_t kMaxReference = 1024;
constexpr std::size_t kMaxRepository = 255;
constexpr std::size_t kMaxTag = 128;
constexpr std::size_t kMaxHost = 253;  // RFC 1035 section 2.3.4, in text

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alpha_or_digit(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }
bool is_decimal(char c) { return c >= '0' && c <= '9'; }

std::unexpected<Error> malformed(std::string_view whole, std::string_view part, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, cat("image reference \"", whole.substr(0, 128), "\": ", part, " ", why),
              "the form is [REGISTRY/]NAME[:TAG][@sha256:DIGEST]");
}

// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back())) return false;
  for (std::size_t at = 0; at < text.size();) {
    if (is_lower_or_digit(text[at])) {
      ++at;
      continue;
    }
    const auto end = std::ranges::find_if(text.substr(at), is_lower_or_digit) - text.substr(at).begin();
    const auto separator = text.substr(at, static_cast<std::size_t>(end));
    const bool dashes = std::ranges::all_of(separator, [](char c) { return c == '-'; });
    if (!dashes && separator != "." && separator != "_" && separator != "__") return false;
    at += separator.size();
  }
  return true;
}

bool is_repository(std::string_view text) {
  return text.size() <= kMaxRepository && std::ranges::all_of(split(text, '/'), is_path_component);
}

// [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kMaxTag || text.front() == '.' || text.front() == '-') return false;
  return std::ranges::all_of(text, [](char c) { return is_alpha_or_digit(c) || c == '_' || c == '.' || c == '-'; });
}

bool is_port(std::string_view text) {
  constexpr unsigned kMaxPort = 65535;
  if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, is_decimal)) return false;
  unsigned value = 0;
  for (const char c : text) value = value * 10 + static_cast<unsigned>(c - '0');
  return value >= 1 && value <= kMaxPort;
}

bool is_host(std::string_view text) {
  if (text.size() > kMaxHost) return false;
  if (text.starts_with('[')) {
    const auto inside = text.substr(1, text.size() - 2);
    const auto in_v6 = [](char c) {
      return is_decimal(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':';
    };
    return text.ends_with(']') && inside.size() >= 2 && std::ranges::all_of(inside, in_v6);
  }
  return std::ranges::all_of(split(text, '.'), [](std::string_view label) {
    return !label.empty() && is_alpha_or_digit(label.front()) && is_alpha_or_digit(label.back()) &&
           std::ranges::all_of(label, [](char c) { return is_alpha_or_digit(c) || c == '-'; });
  });
}

struct HostPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

HostPort split_port(std::string_view registry) {
  const auto bracket = registry.rfind(']');
  const auto colon = registry.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return {registry, std::nullopt};
  return {registry.substr(0, colon), registry.substr(colon + 1)};
}

bool looks_like_registry(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:") != std::string_view::npos;
}

}  // namespace

Result<ImageReference> ImageReference::parse(std::string_view text) {
  if (text.empty()) return fail(ErrorCode::kInvalidArgument, "image reference is empty");
  if (text.size() > kMaxReference) return malformed(text, "the whole", "is longer than 1024 bytes");
  ImageReference out;
  std::string_view rest = text;
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    out.digest = TRY_IN(cat("image reference \"", text.substr(0, 128), "\""), Digest::parse(rest.substr(at + 1)));
    rest = rest.substr(0, at);
  }
  // A ':' behind the last '/' starts the tag; one before it belongs to the registry's port.
  const auto last_slash = rest.rfind('/');
  const auto colon = rest.find(':', last_slash == std::string_view::npos ? 0 : last_slash);
  if (colon != std::string_view::npos) {
    out.tag = std::string(rest.substr(colon + 1));
    if (!is_tag(out.tag))
      return malformed(text, "the tag", "must be 1 to 128 of [A-Za-z0-9_.-], not starting with . or -");
    rest = rest.substr(0, colon);
  } else if (!out.digest) {
    out.tag = kDefaultTag;
  }
  const auto first_slash = rest.find('/');
  if (first_slash != std::string_view::npos && looks_like_registry(rest.substr(0, first_slash))) {
    out.registry = std::string(rest.substr(0, first_slash));
    rest.remove_prefix(first_slash + 1);
  } else {
    out.registry = kDefaultRegistry;
  }
  const auto [host, port] = split_port(out.registry);
  if (!is_host(host) || (port && !is_port(*port))) return malformed(text, "the registry", "is not HOST or HOST:PORT");
  const bool official = out.registry == kDefaultRegistry && rest.find('/') == std::string_view::npos;
  out.repository = official ? cat(kDefaultNamespace, rest) : std::string(rest);
  if (!is_repository(out.repository)) {
    return malformed(text, "the name", "must be lower-case letters and digits, separated by . _ __ - or /");
  }
  return out;
}

std::string ImageReference::name() const { return cat(registry, "/", repository); }

std::string ImageReference::text() const {
  std::string out = name();
  if (!tag.empty()) out += cat(":", tag);
  if (digest) out += cat("@", digest->text());
  return out;
}

bool ImageReference::is_loopback() const {
  const auto host = split_port(registry).host;
  if (host == "localhost" || host == "[::1]") return true;
  const auto parts = split(host, '.');
  return parts.size() == 4 && parts[0] == "127" &&
         std::ranges::all_of(parts, [](std::string_view part) { return std::ranges::all_of(part, is_decimal); });
}

}  // namespace skerry
