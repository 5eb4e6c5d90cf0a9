// What is fuzzed: each target takes any bytes, and only the core's own errors may leave the functions it calls. A target
// that finds a wrong answer calls std::abort.
#pragma once

#include "common.hpp"

namespace targets {

struct Target {
    const char* name;
    void (*run)(recordkit::Span);
};

extern const Target kTargets[];
extern const size_t kNTargets;

const Target* find(const char* name);

}  // namespace targets
