// Certificates for tests and fuzz targets, made as openssl(1) would. What cannot fail ends the program if it does.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/file_io.h"

namespace skerry::api::testing {

class Certificate {
 public:
  struct Wish {
    std::string common_name;
    std::string names;          // "DNS:a,IP:127.0.0.1"; empty: an authority
    long valid_from_s = -3600;  // from now
    long valid_until_s = 24L * 3600;
  };

  // Signed by `issuer`, without one by itself.
  explicit Certificate(const Wish& wish, const Certificate* issuer = nullptr) {
    X509_set_version(x509_.get(), X509_VERSION_3);
    static long serial = 1;
    ASN1_INTEGER_set(X509_get_serialNumber(x509_.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x509_.get()), wish.valid_from_s);
    X509_gmtime_adj(X509_getm_notAfter(x509_.get()), wish.valid_until_s);
    X509_set_pubkey(x509_.get(), key_.get());
    auto* name = X509_get_subject_name(x509_.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wish.common_name.c_str()), -1, -1, 0);
    const Certificate& signer = issuer == nullptr ? *this : *issuer;
    X509_set_issuer_name(x509_.get(), X509_get_subject_name(signer.x509_.get()));
    if (wish.names.empty()) {
      extend(NID_basic_constraints, "critical,CA:TRUE");
    } else {
      extend(NID_subject_alt_name, wish.names);
    }
    if (X509_sign(x509_.get(), signer.key_.get(), EVP_sha256()) <= 0) std::abort();
  }

  // Writes PATH.pem and PATH.key.
  void write(const std::string& path) const {
    put(path + ".pem", pem([&](BIO* bio) { PEM_write_bio_X509(bio, x509_.get()); }), 0644);
    put(path + ".key",
        pem([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key_.get(), nullptr, nullptr, 0, nullptr, nullptr); }), 0600);
  }

 private:
  static void put(const std::string& path, const std::string& text, mode_t mode) {
    if (!write_file_atomic(path, text, mode)) std::abort();
  }
  void extend(int id, const std::string& value) {
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str());
    if (extension == nullptr) std::abort();
    X509_add_ext(x509_.get(), extension, -1);
    X509_EXTENSION_free(extension);
  }
  template <typename Write>
  static std::string pem(Write write) {
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(BIO_s_mem()), BIO_free);
    write(bio.get());
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(size)};
  }

  std::unique_ptr<X509, void (*)(X509*)> x509_{X509_new(), X509_free};
  std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key_{EVP_EC_gen("P-256"), EVP_PKEY_free};
};

}  // namespace skerry::api::testing
