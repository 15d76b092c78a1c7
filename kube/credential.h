/* Reading credential files: what a kubeconfig names and what a service account has mounted. Used when the
 * configuration is loaded and whenever it is read again. */
#ifndef KUBE_CREDENTIAL_H
#define KUBE_CREDENTIAL_H

#include "base/base.h"
#include "base/error.h"

/* A bearer token without the white space around it; an empty file is an error. Gives (secret_free). */
int credential_read_token(const char *path, char **ret, struct error *err);
/* A file of PEM blocks; a file without one is an error. Gives (secret_free). */
int credential_read_pem(const char *path, char **ret, struct error *err);

#endif
