#pragma once
#include <stdint.h>

/// What the process has asked the allocator for since it began, on all threads: calls and bytes as asked for.
typedef struct {
    uint64_t calls;
    uint64_t bytes;
} CAllocations;

/// Reads the counters. Defined beside the allocator's entry points, so that whoever reads them is counted by them.
CAllocations c_allocations(void);

/// CPU time of the calling thread, ns.
uint64_t c_thread_cpu_ns(void);

/// Bytes that the allocator has handed out and not got back, in all arenas and mappings.
uint64_t c_allocated_bytes(void);

/// The kernel kills this process when the one that started it ends.
void c_end_with_parent(void);
