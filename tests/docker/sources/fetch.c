/* Prints what an https server has under a path, by OpenSSL with its default certificates. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    BIO *connection = BIO_new_ssl_connect(context);
    BIO_set_conn_hostname(connection, argv[1]);
    if (argc != 3 || BIO_do_connect(connection) <= 0) {
        ERR_print_errors_fp(stderr);
        return 1;
    }
    /* HTTP 0.9, so that the answer is the file alone. */
    BIO_printf(connection, "GET %s\r\n\r\n", argv[2]);
    char text[4096];
    for (int size; (size = BIO_read(connection, text, sizeof text)) > 0;)
        fwrite(text, 1, size, stdout);
    return 0;
}
