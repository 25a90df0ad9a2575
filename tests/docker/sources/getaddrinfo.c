/* getaddrinfo NAME [SERVICE]: the IPv4 addresses, and the port. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found, *a;
    int error = getaddrinfo(argv[1], argc > 2 ? argv[2] : NULL, &hints, &found);
    if (error) {
        printf("%s: %s\n", argv[1], gai_strerror(error));
        return 1;
    }
    for (a = found; a; a = a->ai_next) {
        struct sockaddr_in *in = (struct sockaddr_in *)a->ai_addr;
        char text[INET_ADDRSTRLEN];
        printf("%s port %d\n", inet_ntop(AF_INET, &in->sin_addr, text, sizeof text),
               ntohs(in->sin_port));
    }
    freeaddrinfo(found);
    return 0;
}
