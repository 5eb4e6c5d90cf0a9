// The instructions that this CPU has and its operating system allows.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>

namespace recordkit {

// __builtin_cpu_supports is not used, because it says no to everything with zig, which compiles the wheels.
inline bool has_avx2() noexcept {
    static const bool has = [] {
        unsigned a, b, c, d, saved, high;
        if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return false;
        __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
        constexpr unsigned kXmmAndYmm = 6;  // registers that are kept when another thread runs
        if ((saved & kXmmAndYmm) != kXmmAndYmm) return false;
        return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2) != 0;
    }();
    return has;
}

}  // namespace recordkit
#endif
