#include "api/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/ssl/stream.hpp>

#include "base/log.h"
#include "base/sys_file.h"
#include "base/text.h"

namespace skerry::api {
namespace {

constexpr Duration kGoodbye = std::chrono::seconds(1);
constexpr std::size_t kChunk = 16U << 10U;  // a TLS record

std::chrono::milliseconds ms(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
}

std::unexpected<Error> wrong(const std::string& file, std::string_view what, std::string_view hint = {}) {
  ::ERR_clear_error();
  return fail(ErrorCode::kInvalidArgument, cat("TLS: ", file, ": ", what), std::string(hint));
}

Status check_readable(const std::string& file) {
  TRY_IN("TLS", sys::open(file, O_RDONLY));
  return {};
}

// Who can read the key is the server to its clients.
Status check_private(const std::string& file) {
  const Fd key = TRY_IN("TLS", sys::open(file, O_RDONLY));
  if ((TRY(sys::fstat(key.get())).st_mode & 077U) == 0) return {};
  return wrong(file, "others than its owner can read the key", cat("chmod 600 ", file));
}

Status check_valid_now(const std::string& file, X509* certificate) {
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0)
    return wrong(file, "the certificate is not yet valid");
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0) return wrong(file, "the certificate has expired");
  return {};
}

std::string name_of(const GENERAL_NAME& entry) {
  if (entry.type == GEN_DNS) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(entry.d.dNSName)),
            static_cast<std::size_t>(ASN1_STRING_length(entry.d.dNSName))};
  }
  if (entry.type != GEN_IPADD) return {};
  const bool v6 = ASN1_STRING_length(entry.d.iPAddress) == 16;
  std::array<char, INET6_ADDRSTRLEN> text{};
  const auto* bytes = ASN1_STRING_get0_data(entry.d.iPAddress);
  if (::inet_ntop(v6 ? AF_INET6 : AF_INET, bytes, text.data(), text.size()) == nullptr) return {};
  return v6 ? cat("[", std::string_view(text.data()), "]") : std::string(text.data());
}

std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  auto* found = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> entries(found, GENERAL_NAMES_free);
  for (int i = 0; found != nullptr && i < sk_GENERAL_NAME_num(found); ++i) {
    if (auto name = name_of(*sk_GENERAL_NAME_value(found, i)); !name.empty()) names.push_back(std::move(name));
  }
  return names;
}

bool same_letters(std::string_view a, std::string_view b) { return beast::iequals(a, b); }

Status load_own(asio::ssl::context& context, const TlsFiles& files) {
  beast::error_code ec;
  TRY(check_readable(files.certificate));
  context.use_certificate_chain_file(files.certificate, ec);
  if (ec) return wrong(files.certificate, cat("is no certificate in PEM: ", ec.message()));
  TRY(check_private(files.key));
  context.use_private_key_file(files.key, asio::ssl::context::pem, ec);
  const bool fits = !ec && ::SSL_CTX_check_private_key(context.native_handle()) == 1;
  if (!fits) return wrong(files.key, "is no key in PEM, or not that of the certificate");
  return check_valid_now(files.certificate, ::SSL_CTX_get0_certificate(context.native_handle()));
}

Status load_client_ca(asio::ssl::context& context, const std::string& file) {
  beast::error_code ec;
  TRY(check_readable(file));
  context.load_verify_file(file, ec);
  if (ec) return wrong(file, cat("holds no certificate in PEM: ", ec.message()));
  ::SSL_CTX_set_client_CA_list(context.native_handle(), ::SSL_load_client_CA_file(file.c_str()));
  context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert, ec);
  if (ec) return wrong(file, ec.message());
  return {};
}

}  // namespace

// One connection: its TLS side and ours of the pair. Shared by the coroutines of both directions.
class TlsFront::Carrier : public std::enable_shared_from_this<Carrier> {
 public:
  Carrier(const Around& around, asio::ip::tcp::socket socket, asio::ssl::context& context)
      : io_(around.io), config_(around.config), tls_(std::move(socket), context), inner_(io_), deadline_(io_) {}

  asio::awaitable<beast::error_code> shake_hands() {
    limit(config_.header_timeout);
    const auto [ec] = co_await tls_.async_handshake(asio::ssl::stream_base::server, kAwait);
    deadline_.cancel();
    co_return ec;
  }

  // The session's end; invalid when the host has no descriptors left.
  Stream::socket_type make_pair() {
    asio::local::stream_protocol::socket theirs(io_);
    beast::error_code ec;
    asio::local::connect_pair(inner_, theirs, ec);
    if (ec) log::warning("a pair of sockets for TLS", {{"error", ec.message()}});
    return Stream::socket_type(std::move(theirs));
  }

  asio::awaitable<void> carry() {
    asio::co_spawn(io_, inward(shared_from_this()), asio::detached);
    std::array<char, kChunk> chunk;
    while (true) {
      const auto [ec, size] = co_await inner_.async_read_some(asio::buffer(chunk), kAwait);
      if (ec) break;
      limit(config_.write_timeout);
      const auto [failed, written] = co_await asio::async_write(tls_, asio::buffer(chunk.data(), size), kAwait);
      deadline_.cancel();
      if (failed) break;
    }
    // So that the client knows that nothing was cut off.
    leaving_ = true;
    limit(kGoodbye);
    co_await tls_.async_shutdown(kAwait);
    deadline_.cancel();
    end();
  }

  void end() {
    beast::error_code ignored;
    tls_.lowest_layer().close(ignored);
    inner_.close(ignored);
  }

 private:
  // client → session. Holds the carrier: it may be the last one here.
  static asio::awaitable<void> inward(std::shared_ptr<Carrier> self) {
    std::array<char, kChunk> chunk;
    bool client_is_gone = false;  // without a word
    while (true) {
      const auto [ec, size] = co_await self->tls_.async_read_some(asio::buffer(chunk), kAwait);
      client_is_gone = ec && ec != asio::error::eof;
      if (ec) break;
      const auto [failed, written] = co_await asio::async_write(self->inner_, asio::buffer(chunk.data(), size), kAwait);
      if (failed) break;
    }
    // The session sees the client hang up.
    beast::error_code ignored;
    self->inner_.shutdown(asio::socket_base::shutdown_send, ignored);
    // Nobody is left to answer our goodbye. The wait for it would not see that: of one end only one read is told.
    if (self->leaving_ && client_is_gone) self->end();
  }

  void limit(Duration time) {
    deadline_.expires_after(ms(time));
    deadline_.async_wait([weak = weak_from_this()](beast::error_code ec) {
      if (ec) return;
      if (const auto self = weak.lock()) self->end();
    });
  }

  asio::io_context& io_;
  const ApiConfig& config_;
  asio::ssl::stream<asio::ip::tcp::socket> tls_;
  asio::local::stream_protocol::socket inner_;
  asio::steady_timer deadline_;
  bool leaving_ = false;  // the session has ended
};

TlsFront::TlsFront(asio::ssl::context context) : context_(std::move(context)) {}
TlsFront::~TlsFront() = default;

Result<std::unique_ptr<TlsFront>> TlsFront::create(const TlsFiles& files) {
  asio::ssl::context context(asio::ssl::context::tls_server);
  auto* native = context.native_handle();
  ::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  // Nothing is resumed: a client certificate is looked at in each connection.
  ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_options(native, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  TRY(load_own(context, files));
  if (!files.client_ca.empty()) TRY(load_client_ca(context, files.client_ca));
  auto names = names_of(::SSL_CTX_get0_certificate(native));
  std::unique_ptr<TlsFront> front(new TlsFront(std::move(context)));
  front->names_ = std::move(names);
  return front;
}

asio::awaitable<void> TlsFront::serve(Around around, asio::ip::tcp::socket socket,
                                      std::function<void(Stream::socket_type)> begin) {
  auto carrier = std::make_shared<Carrier>(around, std::move(socket), context_);
  if (handshakes_.size() >= kMaxHandshakes) {
    if (const auto oldest = handshakes_.front().lock()) oldest->end();
  }
  const auto entry = handshakes_.insert(handshakes_.end(), carrier);
  const auto failed = co_await carrier->shake_hands();
  handshakes_.erase(entry);
  if (failed) {
    ++around.metrics.failed_handshakes;
    log::debug("TLS handshake", {{"error", failed.message()}});
    carrier->end();
    co_return;
  }
  auto session = carrier->make_pair();
  if (!session.is_open()) co_return;
  begin(std::move(session));
  co_await carrier->carry();
}

bool is_named(const std::vector<std::string>& names, std::string_view host) {
  const auto dot = host.find('.');
  return std::ranges::any_of(names, [&](std::string_view name) {
    if (!name.starts_with("*.")) return same_letters(name, host);
    return dot != std::string_view::npos && dot > 0 && same_letters(name.substr(1), host.substr(dot));
  });
}

}  // namespace skerry::api
