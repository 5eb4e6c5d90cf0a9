// Work shared out over threads. No state outlives a call, so there is nothing to fork, lock or leak.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace recordkit {

// Call act(begin, end) for stretches of 0 to n, `grain` at a time, on up to `n_threads` threads, this one among them.
// Stretches are handed out in order. The error of the first stretch that fails is thrown again here; those behind it
// may not be worked on.
template <typename Act>
void parallel_for(size_t n, size_t grain, unsigned n_threads, Act&& act) {
    const size_t n_stretches = (n + grain - 1) / grain;
    std::atomic<size_t> next{0}, failed{n_stretches};
    std::exception_ptr error;
    std::mutex error_lock;
    const auto work = [&] {
        for (size_t stretch; (stretch = next.fetch_add(1)) < failed.load();) {
            try {
                act(stretch * grain, std::min(n, (stretch + 1) * grain));
            } catch (...) {
                const std::lock_guard<std::mutex> hold(error_lock);
                if (stretch < failed.load()) {
                    failed.store(stretch);
                    error = std::current_exception();
                }
            }
        }
    };
    std::vector<std::thread> others;
    others.reserve(std::min<size_t>(n_threads, n_stretches));  // from here on only starting a thread fails
    try {
        for (size_t n = std::min<size_t>(n_threads, n_stretches); n > 1; --n) others.emplace_back(work);
    } catch (const std::exception&) {  // no more threads, or memory for one, to be had: those there are do the work
    }
    work();
    for (std::thread& other : others) other.join();
    if (error) std::rethrow_exception(error);
}

}  // namespace recordkit
