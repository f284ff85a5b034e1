// A client of the TLS port that shakes hands or does not, and cuts in with bytes of its own between and within its
// records. The records are OpenSSL's to read; what is looked at here is all that api/tls.cc does around it: no byte
// comes to a session that was not sent over TLS, or to the client that the session did not write, a session begins only
// behind a whole handshake, and nothing is left over when both have gone.
//
// The input: a byte of settings, then the steps of conversation.h.
// Links: api
#include <openssl/ssl.h>

#include <memory>

#include "api/tls.h"
#include "api/tls_testing.h"
#include "base/temp_dir.h"
#include "conversation.h"

namespace {

using namespace skerry;
using api::TlsFront;
using api::testing::Certificate;
using fuzz::demand;

enum Settings : std::uint8_t { kAsksForCertificate = 1, kHasCertificate = 2, kOldProtocol = 4, kNoTime = 8 };

// Made once: keys and certificates of both sides.
class Fronts {
 public:
  Fronts() {
    const Certificate ca({"authority", {}});
    ca.write(dir_ / "ca");
    Certificate({"skerry", "DNS:skerry.test"}, &ca).write(dir_ / "server");
    Certificate({"alice", "DNS:alice"}, &ca).write(dir_ / "client");
    plain_ = TlsFront::create({dir_ / "server.pem", dir_ / "server.key", ""}).value();
    asking_ = TlsFront::create({dir_ / "server.pem", dir_ / "server.key", dir_ / "ca.pem"}).value();
    demand(::SSL_CTX_load_verify_file(client_.get(), (dir_ / "ca.pem").c_str()) == 1);
    ::SSL_CTX_set_verify(client_.get(), SSL_VERIFY_PEER, nullptr);
  }
  TlsFront& front(std::uint8_t settings) { return (settings & kAsksForCertificate) != 0 ? *asking_ : *plain_; }
  std::unique_ptr<SSL, void (*)(SSL*)> client(std::uint8_t settings) {
    std::unique_ptr<SSL, void (*)(SSL*)> ssl(::SSL_new(client_.get()), ::SSL_free);
    if ((settings & kOldProtocol) != 0) ::SSL_set_max_proto_version(ssl.get(), TLS1_2_VERSION);
    if ((settings & kHasCertificate) != 0) {
      demand(::SSL_use_certificate_file(ssl.get(), (dir_ / "client.pem").c_str(), SSL_FILETYPE_PEM) == 1);
      demand(::SSL_use_PrivateKey_file(ssl.get(), (dir_ / "client.key").c_str(), SSL_FILETYPE_PEM) == 1);
    }
    ::SSL_set_connect_state(ssl.get());
    return ssl;
  }

 private:
  TempDir dir_ = TempDir::create("skerry-tls-fuzz").value();
  std::unique_ptr<TlsFront> plain_;
  std::unique_ptr<TlsFront> asking_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> client_{::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free};
};

// One client, from its connection to its end.
class Client {
 public:
  Client(Fronts& fronts, std::uint8_t settings) : settings_(settings), ssl_(fronts.client(settings)) {
    ::SSL_set_bio(ssl_.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
    // A server that has no time: its limits have passed when it looks.
    config_.header_timeout = (settings & kNoTime) != 0 ? Duration::zero() : std::chrono::hours(1);
    config_.write_timeout = config_.header_timeout;
    // The end of a pair stands for a TCP connection: to what is tested here both are streams.
    api::asio::ip::tcp::socket socket(server_.io(), api::asio::ip::tcp::v4(), wire_.take_other().release());
    server_.start(fronts.front(settings).serve({server_.io(), config_, metrics_}, std::move(socket),
                                               [this](api::Stream::socket_type inner) { begin(std::move(inner)); }));
    settle();
  }

  void run(const fuzz::Script::Step& step) {
    switch (step.what % 8) {
      case 0: send_raw(step.bytes); break;
      case 1: static_cast<void>(::SSL_do_handshake(ssl_.get())); break;
      case 2: write(step.bytes); break;
      case 3: write_from_session(step.bytes); break;
      case 4: end_session(); break;
      case 5: static_cast<void>(::SSL_shutdown(ssl_.get())); break;
      case 6: say_no_more(); break;
      default: static_cast<void>(::SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_REQUESTED)); break;
    }
    settle();
  }

  void end() {
    wire_.close();
    settle();
    session_.reset();
    settle();
    demand(server_.has_ended());
    demand(begun_ || metrics_.failed_handshakes == 1);
    demand(sent_.starts_with(arrived_));
    demand(written_.starts_with(heard_));
    // Nothing stood in the way of these.
    if (!cut_short_ && begun_ && (settings_ & kNoTime) == 0) demand(sent_ == arrived_);
  }

 private:
  void begin(api::Stream::socket_type inner) {
    demand(!begun_ && metrics_.failed_handshakes == 0);
    begun_ = true;
    // Who shows none gets no session where one is asked for.
    demand((settings_ & kAsksForCertificate) == 0 || (settings_ & kHasCertificate) != 0);
    session_ = Fd(inner.release());
  }
  void end_session() {
    cut_short_ = true;
    session_.reset();
  }
  void say_no_more() {
    cut_short_ = true;
    wire_.say_no_more();
  }
  void send_raw(std::string_view bytes) {
    cut_short_ = cut_short_ || !bytes.empty();
    send(bytes);
  }
  void send(std::string_view bytes) {
    if (wire_.is_open()) server_.send(wire_, bytes, [this] { return receive(); });
  }
  void write(std::string_view bytes) {
    if (::SSL_is_init_finished(ssl_.get()) == 0 || bytes.empty()) return;
    const int written = ::SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
    if (written > 0) sent_ += bytes.substr(0, static_cast<std::size_t>(written));
  }
  void write_from_session(std::string_view bytes) {
    if (!session_.valid()) return;
    const auto sent = ::send(session_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) written_ += bytes.substr(0, static_cast<std::size_t>(sent));
  }
  // What OpenSSL wants to send, until neither side says more.
  void settle() {
    std::string out;
    do {
      server_.settle([this] { return receive(); });
      out.resize(::BIO_ctrl_pending(::SSL_get_wbio(ssl_.get())));
      if (!out.empty()) ::BIO_read(::SSL_get_wbio(ssl_.get()), out.data(), static_cast<int>(out.size()));
      send(out);
    } while (!out.empty());
  }
  bool receive() {
    const auto records = wire_.receive();
    if (!records.empty()) {
      ::BIO_write(::SSL_get_rbio(ssl_.get()), records.data(), static_cast<int>(records.size()));
      read_all();
    }
    char chunk[16384];
    const auto got = session_.valid() ? ::recv(session_.get(), chunk, sizeof chunk, MSG_DONTWAIT) : 0;
    if (got > 0) arrived_.append(chunk, static_cast<std::size_t>(got));
    return !records.empty() || got > 0;
  }
  // Goes on with a handshake that has begun, too.
  void read_all() {
    char chunk[16384];
    while (true) {
      const int got = ::SSL_read(ssl_.get(), chunk, sizeof chunk);
      if (got <= 0) return;
      heard_.append(chunk, static_cast<std::size_t>(got));
    }
  }

  std::uint8_t settings_;
  std::unique_ptr<SSL, void (*)(SSL*)> ssl_;
  api::ApiConfig config_;
  api::Metrics metrics_;
  fuzz::Side wire_;
  Fd session_;
  bool begun_ = false;
  bool cut_short_ = false;       // what is sent need not arrive: it is not all TLS, or one side has had enough
  std::string sent_, arrived_;   // by the client, to the session
  std::string written_, heard_;  // by the session, to the client
  fuzz::Server server_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fronts fronts;
  if (size == 0) return 0;
  Client client(fronts, data[0]);
  fuzz::Script script(std::string_view(reinterpret_cast<const char*>(data), size).substr(1));
  while (const auto step = script.next()) client.run(*step);
  client.end();
  return 0;
}
