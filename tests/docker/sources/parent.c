/* parent PROGRAM...: runs it and ends with its status, as a shell has it.
 *
 * The first process of a container is not killed by the signals that it sends itself, so that
 * abort() has another status there.
 */
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int status;
    pid_t child = fork();
    (void)argc;
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return 126;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
