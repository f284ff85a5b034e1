// skerry-tls: carries the bytes of one connection between the command line and a daemon behind TLS.
//
//   skerry-tls HOST PORT CA CERTIFICATE KEY      (empty: none)
//
// Standard input is the command line's end of a pair of sockets, standard output the pipe of reports (tls_report.h).
// TLS 1.2 or newer. The daemon's certificate must lead to CA (else to whom this host trusts) and be for HOST: names by
// RFC 6125, never the common name. Ends when either side does; what a daemon refuses after the handshake, as TLS 1.3
// does with a missing certificate of ours, is reported then.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>

#include "base/fd.h"
#include "base/sys_file.h"
#include "base/text.h"
#include "cli/tls_report.h"

namespace skerry::cli {
namespace {

constexpr int kPatienceS = 15;              // for the connection, and again for each step of the handshake
constexpr std::size_t kChunk = 16U << 10U;  // a TLS record

using Context = std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)>;
using Session = std::unique_ptr<SSL, void (*)(SSL*)>;

struct Target {
  std::string host, port, ca, certificate, key;
};

// What OpenSSL last complained of.
std::string complaint() {
  const auto code = ::ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  std::string text =
      reason == nullptr ? (errno == 0 ? "the connection was closed" : std::generic_category().message(errno)) : reason;
  ::ERR_clear_error();
  return text;
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

std::unexpected<Error> wrong_file(std::string_view option, const std::string& file, std::string_view what) {
  ::ERR_clear_error();
  return fail(ErrorCode::kInvalidArgument, cat(option, ": ", file, ": ", what));
}

Status load_own(SSL_CTX* context, const Target& target) {
  if (target.certificate.empty()) return {};
  TRY_IN("--cert", sys::open(target.certificate, O_RDONLY));
  const Fd key = TRY_IN("--key", sys::open(target.key, O_RDONLY));
  if ((TRY(sys::fstat(key.get())).st_mode & 077U) != 0) {
    return wrong_file("--key", target.key, "others than its owner can read it: chmod 600");
  }
  if (::SSL_CTX_use_certificate_chain_file(context, target.certificate.c_str()) != 1) {
    return wrong_file("--cert", target.certificate, "is no certificate in PEM");
  }
  // No question for a password: there is no terminal here.
  ::SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return 0; });
  if (::SSL_CTX_use_PrivateKey_file(context, target.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return wrong_file("--key", target.key, "is no key in PEM without a password, or not that of the certificate");
  }
  return {};
}

Result<Context> make_context(const Target& target) {
  Context context(::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free);
  if (!context) return fail(ErrorCode::kUnavailable, cat("TLS: ", complaint()));
  ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (target.ca.empty()) {
    ::SSL_CTX_set_default_verify_paths(context.get());
  } else {
    TRY_IN("--cacert", sys::open(target.ca, O_RDONLY));
    if (::SSL_CTX_load_verify_file(context.get(), target.ca.c_str()) != 1) {
      return wrong_file("--cacert", target.ca, "holds no certificate in PEM");
    }
  }
  TRY(load_own(context.get(), target));
  return context;
}

// Each address of the name in turn. The time limit holds for connect(2) too (socket(7), SO_SNDTIMEO).
Result<Fd> connect(const Target& target) {
  addrinfo wish{};
  wish.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(target.host.c_str(), target.port.c_str(), &wish, &found); failed != 0) {
    return fail(ErrorCode::kUnavailable, cat("there is no host of this name: ", ::gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, ::freeaddrinfo);
  Error last{ErrorCode::kUnavailable, 0, "nobody answers", {}};
  for (const auto* each = addresses.get(); each != nullptr; each = each->ai_next) {
    Fd socket(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) continue;
    const timeval patience{kPatienceS, 0};
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    if (::connect(socket.get(), each->ai_addr, each->ai_addrlen) == 0) return socket;
    const int error = errno == EINPROGRESS ? ETIMEDOUT : errno;
    last =
        Error{ErrorCode::kUnavailable, error, "skerryd does not answer there", "is its --listen reachable from here?"};
  }
  return fail(std::move(last));
}

// What the certificate is for, for who asked for something else.
std::string names_of(X509* certificate) {
  std::string names;
  auto* found = static_cast<GENERAL_NAMES*>(::X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  const std::unique_ptr<GENERAL_NAMES, void (*)(GENERAL_NAMES*)> entries(found, ::GENERAL_NAMES_free);
  for (int i = 0; found != nullptr && i < sk_GENERAL_NAME_num(found); ++i) {
    const auto* entry = sk_GENERAL_NAME_value(found, i);
    std::array<char, INET6_ADDRSTRLEN> text{};
    std::string name;
    if (entry->type == GEN_DNS) {
      name.assign(reinterpret_cast<const char*>(::ASN1_STRING_get0_data(entry->d.dNSName)),
                  static_cast<std::size_t>(::ASN1_STRING_length(entry->d.dNSName)));
    } else if (entry->type == GEN_IPADD) {
      const int family = ::ASN1_STRING_length(entry->d.iPAddress) == 16 ? AF_INET6 : AF_INET;
      ::inet_ntop(family, ::ASN1_STRING_get0_data(entry->d.iPAddress), text.data(), text.size());
      name = text.data();
    }
    if (!name.empty()) names += cat(names.empty() ? "" : ", ", name);
  }
  return names;
}

// A session that is not to be has no certificate any more: what it was for is kept beside it, as its app data.
int note_names(int trusted, X509_STORE_CTX* checks) {
  const auto* session = static_cast<SSL*>(::X509_STORE_CTX_get_ex_data(checks, ::SSL_get_ex_data_X509_STORE_CTX_idx()));
  if (::X509_STORE_CTX_get_error_depth(checks) == 0) {
    *static_cast<std::string*>(SSL_get_app_data(session)) = names_of(::X509_STORE_CTX_get_current_cert(checks));
  }
  return trusted;
}

std::unexpected<Error> handshake_error(SSL* session, const Target& target) {
  const long verdict = ::SSL_get_verify_result(session);
  if (verdict == X509_V_OK) {
    if (errno == EAGAIN && ::ERR_peek_error() == 0) {
      return fail(ErrorCode::kDeadlineExceeded, "the TLS handshake was not answered in time", "is it https there?");
    }
    return fail(ErrorCode::kUnavailable, cat("the TLS handshake failed: ", complaint()), "is it https there?");
  }
  ::ERR_clear_error();
  if (verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    const auto& names = *static_cast<const std::string*>(SSL_get_app_data(session));
    return fail(ErrorCode::kPermissionDenied, cat("its certificate is not for \"", target.host, "\""),
                names.empty() ? "it names nobody" : cat("it is for: ", names));
  }
  return fail(
      ErrorCode::kPermissionDenied, cat("its certificate is not trusted: ", ::X509_verify_cert_error_string(verdict)),
      target.ca.empty() ? "name the authority that signed it with --cacert" : cat("by what ", target.ca, " holds"));
}

Result<Session> shake_hands(SSL_CTX* context, int socket, const Target& target) {
  Session session(::SSL_new(context), ::SSL_free);
  if (!session) return fail(ErrorCode::kUnavailable, cat("TLS: ", complaint()));
  auto* checks = ::SSL_get0_param(session.get());
  if (is_address(target.host)) {
    ::X509_VERIFY_PARAM_set1_ip_asc(checks, target.host.c_str());
  } else {
    ::X509_VERIFY_PARAM_set_hostflags(checks,
                                      X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    ::X509_VERIFY_PARAM_set1_host(checks, target.host.c_str(), 0);
    ::SSL_set_tlsext_host_name(session.get(), target.host.c_str());
  }
  ::SSL_set_fd(session.get(), socket);
  std::string names;
  SSL_set_app_data(session.get(), &names);
  ::SSL_set_verify(session.get(), SSL_VERIFY_PEER, note_names);
  errno = 0;
  if (::SSL_connect(session.get()) != 1) return handshake_error(session.get(), target);
  ::SSL_set_verify(session.get(), SSL_VERIFY_PEER, nullptr);
  return session;
}

void report(std::string_view text) { static_cast<void>(sys::write_all(STDOUT_FILENO, text)); }

// Both directions, one record at a time each: whoever is slow slows the other.
class Carriage {
 public:
  Carriage(SSL* session, int socket) : session_(session), socket_(socket) {}

  Status run() {
    while (true) {
      TRY(receive());
      TRY(send());
      if (ended_ && down_.empty()) break;
      if (left_ && up_.empty()) break;
      TRY(wait());
    }
    ::SSL_shutdown(session_);
    return {};
  }

 private:
  // daemon → command line
  Status receive() {
    wants_ = 0;
    if (down_.empty() && !ended_) {
      std::array<char, kChunk> chunk;
      ::ERR_clear_error();
      errno = 0;
      const int got = ::SSL_read(session_, chunk.data(), static_cast<int>(chunk.size()));
      if (got > 0) {
        down_.assign(chunk.data(), static_cast<std::size_t>(got));
      } else {
        TRY(note(::SSL_get_error(session_, got)));
      }
    }
    while (!down_.empty()) {
      const auto sent = ::send(STDIN_FILENO, down_.data(), down_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (sent < 0) {  // nobody listens any more
        down_.clear();
        ended_ = true;
        break;
      }
      down_.erase(0, static_cast<std::size_t>(sent));
    }
    return {};
  }

  // command line → daemon
  Status send() {
    if (dead_) return {};
    if (up_.empty() && !left_) {
      std::array<char, kChunk> chunk;
      const auto got = ::recv(STDIN_FILENO, chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (got > 0) up_.assign(chunk.data(), static_cast<std::size_t>(got));
      if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) left_ = true;
    }
    while (!up_.empty()) {
      ::ERR_clear_error();
      errno = 0;
      const int sent = ::SSL_write(session_, up_.data(), static_cast<int>(up_.size()));
      if (sent <= 0) {
        // Why the daemon takes no more is what it said last: that is still to be read.
        if (!note(::SSL_get_error(session_, sent))) dead_ = true;
        if (dead_) up_.clear();
        break;
      }
      up_.erase(0, static_cast<std::size_t>(sent));
    }
    return {};
  }

  Status note(int error) {
    if (error == SSL_ERROR_WANT_READ) wants_ |= POLLIN;
    if (error == SSL_ERROR_WANT_WRITE) wants_ |= POLLOUT;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return {};
    if (error == SSL_ERROR_ZERO_RETURN) {
      ended_ = true;
      return {};
    }
    const std::string text = complaint();
    const bool ours = text.find("certificate") != std::string::npos || text.find("unknown ca") != std::string::npos;
    return fail(ours ? ErrorCode::kPermissionDenied : ErrorCode::kUnavailable, cat("the daemon ended TLS: ", text),
                ours ? "it asks for a certificate of yours: --cert and --key" : "");
  }

  Status wait() {
    short pair = 0;
    if (!down_.empty()) pair |= POLLOUT;
    if (up_.empty() && !left_ && !dead_) pair |= POLLIN;
    // What could be read is read as long as there is room for it.
    const short tls = static_cast<short>(wants_ | (down_.empty() && !ended_ ? POLLIN : 0));
    // OpenSSL may hold a whole record already.
    const bool at_once = down_.empty() && !ended_ && ::SSL_pending(session_) > 0;
    std::array<pollfd, 2> fds{pollfd{pair == 0 ? -1 : STDIN_FILENO, pair, 0}, pollfd{tls == 0 ? -1 : socket_, tls, 0}};
    if (::poll(fds.data(), fds.size(), at_once ? 0 : -1) < 0 && errno != EINTR) return fail_errno("poll");
    return {};
  }

  SSL* const session_;
  const int socket_;
  std::string down_;
  std::string up_;
  int wants_ = 0;
  bool ended_ = false;  // the daemon says no more
  bool left_ = false;   // nor does the command line
  bool dead_ = false;   // the daemon takes no more
};

Status carry(const Target& target) {
  const auto context = TRY(make_context(target));
  const Fd socket = TRY(connect(target));
  const auto session = TRY(shake_hands(context.get(), socket.get(), target));
  TRY(sys::set_nonblocking(socket.get()));
  ::SSL_set_mode(session.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  report(kConnected);
  return Carriage(session.get(), socket.get()).run();
}

}  // namespace
}  // namespace skerry::cli

int main(int argc, char** argv) {
  if (argc != 6) {
    static_cast<void>(std::fputs("skerry-tls is started by skerry --host https://…\n", stderr));
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const auto done = skerry::cli::carry({argv[1], argv[2], argv[3], argv[4], argv[5]});
  if (done) return 0;
  skerry::cli::report(skerry::cli::write_report(done.error()));
  return 1;
}
