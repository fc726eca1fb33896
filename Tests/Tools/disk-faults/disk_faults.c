// Disk faults on demand, for tests: preloaded (LD_PRELOAD) into a process, it lets system calls on some files fail.
//
//   clang -shared -fPIC -O1 -o disk_faults.so disk_faults.c -ldl
//   DISK_FAULTS='seed=7 permille=20 kinds=enospc,eio,short,fsync,rename paths=/checkpoint,/out skip=0 count=3'
//
// Each write, fsync, rename, open for writing and truncation of a file whose path contains one of `paths` (all when left
// out) fails with a probability of `permille` (1000) per thousand, drawn from `seed`, after `skip` such calls (0), at most
// `count` times (for ever). Kinds: `enospc` and `eio` (writes, and files opened for writing: ENOSPC only), `short` (a
// write takes only some of its bytes), `fsync` (EIO; as on Linux, the next one succeeds), `rename` (EIO). Says on stderr
// what it does.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ENOSPC_KIND = 1, EIO_KIND = 2, SHORT_KIND = 4, FSYNC_KIND = 8, RENAME_KIND = 16 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t state;
static long permille = 1000, skip, count = -1;
static int kinds;
static char paths[8][256];
static int pathCount;

static uint64_t draw(void) {  // SplitMix64
    uint64_t value = state += 0x9E3779B97F4A7C15u;
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
    return value ^ (value >> 31);
}

static void configure(void) {
    const char *text = getenv("DISK_FAULTS");
    char copy[2048], *next = NULL;
    if (text == NULL) return;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok_r(copy, " ", &next); word != NULL; word = strtok_r(NULL, " ", &next)) {
        if (strncmp(word, "seed=", 5) == 0) state = strtoull(word + 5, NULL, 10);
        if (strncmp(word, "permille=", 9) == 0) permille = strtol(word + 9, NULL, 10);
        if (strncmp(word, "skip=", 5) == 0) skip = strtol(word + 5, NULL, 10);
        if (strncmp(word, "count=", 6) == 0) count = strtol(word + 6, NULL, 10);
        if (strncmp(word, "kinds=", 6) == 0) {
            if (strstr(word, "enospc")) kinds |= ENOSPC_KIND;
            if (strstr(word, "eio")) kinds |= EIO_KIND;
            if (strstr(word, "short")) kinds |= SHORT_KIND;
            if (strstr(word, "fsync")) kinds |= FSYNC_KIND;
            if (strstr(word, "rename")) kinds |= RENAME_KIND;
        }
        if (strncmp(word, "paths=", 6) == 0) {
            char *rest = NULL;
            for (char *path = strtok_r(word + 6, ",", &rest); path != NULL && pathCount < 8;
                 path = strtok_r(NULL, ",", &rest))
                snprintf(paths[pathCount++], sizeof paths[0], "%s", path);
        }
    }
}

// The kind of fault that hits this call, one of those possible; 0: none.
static int due(int possible, const char *call, const char *path) {
    pthread_once(&once, configure);
    possible &= kinds;
    if (possible == 0 || path == NULL || path[0] != '/') return 0;
    int matches = pathCount == 0;
    for (int i = 0; i < pathCount && !matches; i++) matches = strstr(path, paths[i]) != NULL;
    if (!matches) return 0;
    int chosen = 0;
    pthread_mutex_lock(&lock);
    if (skip > 0) {
        skip--;
    } else if (count != 0 && (long)(draw() % 1000) < permille) {
        if (count > 0) count--;
        int choices[5], n = 0;
        for (int bit = 1; bit <= RENAME_KIND; bit <<= 1)
            if (possible & bit) choices[n++] = bit;
        chosen = choices[draw() % (uint64_t)n];
    }
    pthread_mutex_unlock(&lock);
    if (chosen != 0) {
        const char *name = chosen == ENOSPC_KIND ? "ENOSPC" : chosen == SHORT_KIND ? "short" : "EIO";
        dprintf(2, "disk-faults: %s %s: %s\n", call, path, name);
    }
    return chosen;
}

static const char *pathOf(int descriptor, char *buffer, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, buffer, size - 1);
    if (length < 0) return NULL;
    buffer[length] = 0;
    return buffer;
}

// The path that a relative one means, for matching.
static const char *absolute(int directory, const char *path, char *buffer, size_t size) {
    char base[PATH_MAX];
    if (path[0] == '/') return path;
    if (directory == AT_FDCWD ? getcwd(base, sizeof base) == NULL : pathOf(directory, base, sizeof base) == NULL)
        return NULL;
    snprintf(buffer, size, "%s/%s", base, path);
    return buffer;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

// What a write of `length` bytes may do: -1 with errno, or as many bytes as to hand on.
static ssize_t writable(int descriptor, size_t length, const char *call) {
    char buffer[PATH_MAX];
    if (descriptor <= 2) return (ssize_t)length;
    switch (due(ENOSPC_KIND | EIO_KIND | (length > 1 ? SHORT_KIND : 0), call,
                pathOf(descriptor, buffer, sizeof buffer))) {
    case ENOSPC_KIND: errno = ENOSPC; return -1;
    case EIO_KIND: errno = EIO; return -1;
    case SHORT_KIND: return (ssize_t)(length / 2);
    default: return (ssize_t)length;
    }
}

ssize_t write(int descriptor, const void *bytes, size_t length) {
    ssize_t allowed = writable(descriptor, length, "write");
    return allowed < 0 ? -1 : NEXT(write)(descriptor, bytes, (size_t)allowed);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
    ssize_t allowed = writable(descriptor, length, "pwrite");
    return allowed < 0 ? -1 : NEXT(pwrite)(descriptor, bytes, (size_t)allowed, offset);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off64_t offset) {
    ssize_t allowed = writable(descriptor, length, "pwrite");
    return allowed < 0 ? -1 : NEXT(pwrite64)(descriptor, bytes, (size_t)allowed, offset);
}

static int syncs(int descriptor, const char *call) {
    char buffer[PATH_MAX];
    if (due(FSYNC_KIND, call, pathOf(descriptor, buffer, sizeof buffer)) == 0) return 0;
    errno = EIO;
    return -1;
}

int fsync(int descriptor) { return syncs(descriptor, "fsync") < 0 ? -1 : NEXT(fsync)(descriptor); }
int fdatasync(int descriptor) { return syncs(descriptor, "fdatasync") < 0 ? -1 : NEXT(fdatasync)(descriptor); }

static int renames(int directory, const char *to) {
    char buffer[PATH_MAX * 2];
    if (due(RENAME_KIND, "rename", absolute(directory, to, buffer, sizeof buffer)) == 0) return 0;
    errno = EIO;
    return -1;
}

int rename(const char *from, const char *to) { return renames(AT_FDCWD, to) < 0 ? -1 : NEXT(rename)(from, to); }

int renameat(int fromDirectory, const char *from, int toDirectory, const char *to) {
    return renames(toDirectory, to) < 0 ? -1 : NEXT(renameat)(fromDirectory, from, toDirectory, to);
}

static int opens(int directory, const char *path, int flags) {
    char buffer[PATH_MAX * 2];
    if ((flags & O_CREAT) == 0) return 0;
    if (due(ENOSPC_KIND, "open", absolute(directory, path, buffer, sizeof buffer)) == 0) return 0;
    errno = ENOSPC;
    return -1;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return opens(AT_FDCWD, path, flags) < 0 ? -1 : NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return opens(AT_FDCWD, path, flags) < 0 ? -1 : NEXT(open64)(path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...) {
    MODE(flags)
    return opens(directory, path, flags) < 0 ? -1 : NEXT(openat)(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...) {
    MODE(flags)
    return opens(directory, path, flags) < 0 ? -1 : NEXT(openat64)(directory, path, flags, mode);
}
