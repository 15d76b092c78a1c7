/* Certificates for tests with OpenSSL; see pki.h. */
#include "test/server/pki.h"

#include "base/alloc.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAY_S = 86400 };

struct pki {
    X509 *cert;
    EVP_PKEY *key;
    char *pem;
};

static char *take_bio(BIO *bio)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    char *text = xstrndup(data, (size_t)len);
    BIO_free_all(bio);
    return text;
}

static char *cert_pem(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert(PEM_write_bio_X509(bio, cert) == 1);
    return take_bio(bio);
}

static char *key_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1);
    return take_bio(bio);
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert(ext && X509_add_ext(cert, ext, -1) == 1);
    X509_EXTENSION_free(ext);
}

static void add_name(X509_NAME *name, const char *field, const char *value)
{
    if (value)
        assert(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1);
}

static X509 *make(const struct pki_leaf *leaf, EVP_PKEY *key)
{
    X509 *cert = X509_new();
    unsigned char serial[8];
    assert(RAND_bytes(serial, sizeof(serial)) == 1);
    uint64_t number;
    memcpy(&number, serial, sizeof(number));
    X509_set_version(cert, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), number >> 1);
    time_t now = time(NULL);
    X509_time_adj_ex(X509_getm_notBefore(cert), 0, (long)leaf->from_s - 60, &now);
    X509_time_adj_ex(X509_getm_notAfter(cert), 0, leaf->until_s ? (long)leaf->until_s : DAY_S, &now);
    add_name(X509_get_subject_name(cert), "O", leaf->organization);
    add_name(X509_get_subject_name(cert), "CN", leaf->common_name);
    assert(X509_set_pubkey(cert, key) == 1);
    return cert;
}

struct pki *pki_new(const char *common_name)
{
    struct pki *p = xcalloc(1, sizeof(*p));
    struct pki_leaf self = {.common_name = common_name, .until_s = 10L * DAY_S, .from_s = -10L * DAY_S};
    p->key = EVP_EC_gen("P-256");
    assert(p->key);
    p->cert = make(&self, p->key);
    X509_set_issuer_name(p->cert, X509_get_subject_name(p->cert));
    add_extension(p->cert, p->cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(p->cert, p->cert, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
    assert(X509_sign(p->cert, p->key, EVP_sha256()) > 0);
    p->pem = cert_pem(p->cert);
    return p;
}

struct pki *pki_free(struct pki *p)
{
    if (!p)
        return NULL;
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    free(p->pem);
    free(p);
    return NULL;
}

const char *pki_ca_pem(const struct pki *p)
{
    return p->pem;
}

void pki_issue(const struct pki *p, const struct pki_leaf *leaf, struct pki_pair *ret)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert(key);
    X509 *cert = make(leaf, key);
    X509_set_issuer_name(cert, X509_get_subject_name(p->cert));
    add_extension(cert, p->cert, NID_basic_constraints, "CA:FALSE");
    add_extension(cert, p->cert, NID_ext_key_usage, "serverAuth,clientAuth");
    if (leaf->names)
        add_extension(cert, p->cert, NID_subject_alt_name, leaf->names);
    assert(X509_sign(cert, p->key, EVP_sha256()) > 0);
    *ret = (struct pki_pair){.cert_pem = cert_pem(cert), .key_pem = key_pem(key)};
    X509_free(cert);
    EVP_PKEY_free(key);
}

void pki_pair_done(struct pki_pair *pair)
{
    free(pair->cert_pem);
    free(pair->key_pem);
    *pair = (struct pki_pair){0};
}
