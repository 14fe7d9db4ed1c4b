// The protection of this program's file from containers, as early as it can be.
#define _GNU_SOURCE
#include "CLinux.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MARKER "_RONDO_OCI_PROTECTED"

static int protected;

int clinux_is_protected(void)
{
    return protected;
}

static int is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcmp(word, *words) == 0) return 1;
    return 0;
}

// Whether the command line is one that goes near a container: of the container runtime, or of the processes that fork
// the runtime for a task or a session. These must be protected from the start, because a fork that has mounts of its own
// cannot mount the file any more. A wrong answer costs an exec at the most: the runtime looks again when it has read its
// command line.
static int enters_containers(int count, char **arguments)
{
    static const char *const names[] = {"runc", "rondo-oci", NULL};
    static const char *const with_value[] = {"root", "log", "log-format", "criu", "rootless", NULL};
    static const char *const commands[] = {"create", "run", "exec", NULL};
    static const char *const keepers[] = {"monitor", "session", NULL};
    if (count < 2) return 0;
    const char *slash = strrchr(arguments[0], '/');
    int next = 1;
    if (!is_one_of(slash == NULL ? arguments[0] : slash + 1, names)) {
        if (is_one_of(arguments[1], keepers)) return 1;
        if (strcmp(arguments[1], "oci") != 0) return 0;
        next = 2;
    }
    for (; next < count; next++) {
        const char *word = arguments[next];
        if (word[0] != '-') return is_one_of(word, commands);
        word += word[1] == '-' ? 2 : 1;
        if (is_one_of(word, with_value)) next++;
    }
    return 0;
}

// Runs before main, and before anything of Swift is set up that would only be thrown away. Whatever fails here is left
// to the runtime, which knows how to say so, and another way.
__attribute__((constructor(101))) static void protect(int count, char **arguments, char **environment)
{
    if (getenv(MARKER) != NULL) {
        // Never inherited by hooks and containers: it is true of this process only.
        unsetenv(MARKER);
        protected = 1;
        return;
    }
    if (!enters_containers(count, arguments)) return;
    size_t size = 0;
    while (environment[size] != NULL) size++;
    char **marked = malloc((size + 2) * sizeof *marked);
    if (marked == NULL) return;
    memcpy(marked, environment, size * sizeof *marked);
    marked[size] = MARKER "=1";
    marked[size + 1] = NULL;
    // A mount of the file that is attached nowhere and read-only: open_tree with OPEN_TREE_CLONE, mount_setattr.
    struct {
        uint64_t set, clear, propagation, user_namespace;
    } attributes = {.set = 1};
    long tree = syscall(428, AT_FDCWD, "/proc/self/exe", 1u | O_CLOEXEC);
    if (tree >= 0) {
        if (syscall(442, tree, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0)
            syscall(SYS_execveat, tree, "", arguments, marked, AT_EMPTY_PATH);
        close((int)tree);
    }
    free(marked);
}
