// Calls of Linux that Swift's Glibc module does not show.
#pragma once
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

extern long syscall(long number, ...);

// An anonymous file in memory, closed on exec (memfd_create(2)).
static inline int linux_memfd_create(const char *name) {
    return (int)syscall(SYS_memfd_create, name, 1U /* MFD_CLOEXEC */);
}

// sendfile(2).
static inline ssize_t linux_sendfile(int socket, int file, off_t *position, size_t count) {
    return sendfile(socket, file, position, count);
}

// Begins to write back dirty pages without waiting (sync_file_range(2), SYNC_FILE_RANGE_WRITE).
static inline int linux_start_sync(int file, off_t offset, off_t length) {
#ifdef SYS_sync_file_range
    return (int)syscall(SYS_sync_file_range, file, offset, length, 2U);
#else
    (void)file, (void)offset, (void)length;
    return 0;
#endif
}
