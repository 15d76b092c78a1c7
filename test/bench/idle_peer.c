/* What the operator's process cannot be smaller than: the same libraries, loaded and used once, and four TLS
 * connections to the same API server. Then nothing, until standard input ends. bench_operator.py reads its memory.
 *
 *     idle_peer SERVER CA-FILE < token      prints "ready" when the connections stand
 */
#include <curl/curl.h>
#include <jansson.h>
#include <microhttpd.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <yaml.h>

enum { CONNECTIONS = 4 };

static size_t swallow(char *data, size_t size, size_t n, void *user)
{
    (void)data;
    (void)user;
    return size * n;
}

/* One call into each library, so that the linker keeps them all. */
static int touch_libraries(void)
{
    json_t *object = json_object();
    json_decref(object);
    return object && *yaml_get_version_string() && *MHD_get_version() && *OpenSSL_version(OPENSSL_VERSION) &&
           sd_booted() >= 0;
}

static CURL *connect_to(const char *server, const char *ca_file, struct curl_slist *headers)
{
    CURL *easy = curl_easy_init();
    if (!easy)
        return NULL;
    curl_easy_setopt(easy, CURLOPT_URL, server);
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    CURLcode code = curl_easy_perform(easy);
    if (code == CURLE_OK)
        return easy;
    fprintf(stderr, "idle_peer: %s: %s\n", server, curl_easy_strerror(code));
    curl_easy_cleanup(easy);
    return NULL;
}

int main(int argc, char **argv)
{
    static char header[8192] = "Authorization: Bearer ";
    CURL *easy[CONNECTIONS] = {0};
    size_t used = strlen(header), connected = 0;
    if (argc != 3 || !fgets(header + used, (int)(sizeof(header) - used), stdin)) {
        fprintf(stderr, "usage: idle_peer SERVER CA-FILE, a token on standard input\n");
        return 2;
    }
    header[strcspn(header, "\n")] = '\0';
    if (!touch_libraries() || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    struct curl_slist *headers = curl_slist_append(NULL, header);
    while (connected < CONNECTIONS && (easy[connected] = connect_to(argv[1], argv[2], headers)))
        connected++;
    if (connected == CONNECTIONS) {
        puts("ready");
        fflush(stdout);
        char byte;
        while (read(STDIN_FILENO, &byte, 1) > 0)
            ;
    }
    for (size_t i = 0; i < connected; i++)
        curl_easy_cleanup(easy[i]);
    curl_slist_free_all(headers);
    curl_global_cleanup();
    return connected == CONNECTIONS ? 0 : 1;
}
