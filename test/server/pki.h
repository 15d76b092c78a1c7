/* A certificate authority for tests: EC keys, made at start, nothing on disk. Failures abort: a test can't go on. */
#ifndef TEST_SERVER_PKI_H
#define TEST_SERVER_PKI_H

#include "base/base.h"

struct pki;

struct pki_leaf {
    const char *common_name;
    const char *organization; /* NULL: none */
    const char *names;        /* "DNS:localhost,IP:127.0.0.1", NULL: none */
    int64_t from_s, until_s;  /* from now on; until_s 0: a day */
};

/* PEM; the key is unencrypted PKCS#8. */
struct pki_pair {
    char *cert_pem, *key_pem;
};

struct pki *pki_new(const char *common_name);
struct pki *pki_free(struct pki *p);
const char *pki_ca_pem(const struct pki *p);
void pki_issue(const struct pki *p, const struct pki_leaf *leaf, struct pki_pair *ret);
void pki_pair_done(struct pki_pair *pair);

#endif
