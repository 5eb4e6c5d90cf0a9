// The fuzz targets. Each accepts any bytes. The functions it calls may only throw the core's own exceptions; a target
// that finds a wrong result calls std::abort.
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
