// Counts calls of a program's allocator and locks. compare_threads.py compiles it and loads it before other libraries
// (LD_PRELOAD); glibc only. Calls that glibc makes inside itself are not counted.
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace {

constexpr size_t kLargeBytes = size_t(1) << 17;  // malloc asks the system for such blocks at first, see mallopt(3)

std::atomic<uint64_t> n_allocations, n_large, n_locks;

void count(size_t n_bytes) {
    n_allocations.fetch_add(1, std::memory_order_relaxed);
    if (n_bytes >= kLargeBytes) n_large.fetch_add(1, std::memory_order_relaxed);
}

// Count the call of a function that takes a lock, and call it.
template <typename Lock>
int call(const char* name, std::atomic<void*>& original, Lock* lock) {
    n_locks.fetch_add(1, std::memory_order_relaxed);
    void* function = original.load(std::memory_order_relaxed);
    if (!function) original.store(function = dlsym(RTLD_NEXT, name), std::memory_order_relaxed);
    return reinterpret_cast<int (*)(Lock*)>(function)(lock);
}

std::atomic<void*> mutex_lock, semaphore_wait;

}  // namespace

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

// Write the numbers of allocations, of those of at least 128 KiB, and of locks taken, since the program began.
void recordkit_counts(uint64_t counts[3]) { counts[0] = n_allocations, counts[1] = n_large, counts[2] = n_locks; }

void* malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}

void* calloc(size_t n, size_t size) {
    count(n * size);
    return __libc_calloc(n, size);
}

void* realloc(void* block, size_t size) {
    count(size);
    return __libc_realloc(block, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void** block, size_t alignment, size_t size) {
    *block = aligned_alloc(alignment, size);
    return *block ? 0 : ENOMEM;
}

int pthread_mutex_lock(pthread_mutex_t* mutex) { return call("pthread_mutex_lock", mutex_lock, mutex); }
int sem_wait(sem_t* semaphore) { return call("sem_wait", semaphore_wait, semaphore); }
}
