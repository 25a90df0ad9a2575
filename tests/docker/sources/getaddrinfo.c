/* getaddrinfo NAME [SERVICE]: the IPv4 addresses, and the port.
 *
 * A repeated address is shown once: glibc gives 127.0.0.1 for "::1 localhost" too, and not every
 * /etc/hosts has that line.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found, *a;
    char last[INET_ADDRSTRLEN] = "";
    int error = getaddrinfo(argv[1], argc > 2 ? argv[2] : NULL, &hints, &found);
    if (error) {
        printf("%s: %s\n", argv[1], gai_strerror(error));
        return 1;
    }
    for (a = found; a; a = a->ai_next) {
        struct sockaddr_in *in = (struct sockaddr_in *)a->ai_addr;
        char text[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        if (strcmp(text, last) != 0)
            printf("%s port %d\n", text, ntohs(in->sin_port));
        strcpy(last, text);
    }
    freeaddrinfo(found);
    return 0;
}
