#include <netdb.h>
#include <stdio.h>

int main(void) {
    struct protoent *found = getprotobyname("tcp");
    printf("tcp is protocol %d\n", found ? found->p_proto : -1);
    return found ? 0 : 1;
}
