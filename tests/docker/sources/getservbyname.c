#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

int main(void) {
    struct servent *found = getservbyname("http", "tcp");
    printf("http is port %d\n", found ? ntohs(found->s_port) : -1);
    return found ? 0 : 1;
}
