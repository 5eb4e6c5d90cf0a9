// Distributes work over threads. The threads end with the call, so that nothing is left to fork, lock or leak.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace recordkit {

// Call act(begin, end) for consecutive ranges of 0 to n of `grain` indices each, on up to `n_threads` threads,
// including the calling thread. Ranges are started in order. If act throws, the exception of the first failed range is
// rethrown here, and later ranges may be left out.
template <typename Act>
void parallel_for(size_t n, size_t grain, unsigned n_threads, Act&& act) {
    const size_t n_ranges = (n + grain - 1) / grain;
    std::atomic<size_t> next_range{0}, failed_range{n_ranges};
    std::exception_ptr error;
    std::mutex error_mutex;
    const auto work = [&] {
        for (size_t range; (range = next_range.fetch_add(1)) < failed_range.load();) {
            try {
                act(range * grain, std::min(n, (range + 1) * grain));
            } catch (...) {
                const std::lock_guard<std::mutex> lock(error_mutex);
                if (range < failed_range.load()) {
                    failed_range.store(range);
                    error = std::current_exception();
                }
            }
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(std::min<size_t>(n_threads, n_ranges));  // after this, only starting a thread can fail
    try {
        for (size_t i = std::min<size_t>(n_threads, n_ranges); i > 1; --i) threads.emplace_back(work);
    } catch (const std::exception&) {  // the system has no more threads or memory; those that run do all the work
    }
    work();
    for (std::thread& thread : threads) thread.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace recordkit
