// The entry point for libFuzzer. The environment variable RECORDKIT_FUZZ names the target.
#include <cstdio>
#include <cstdlib>

#include "targets.hpp"

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const targets::Target* const target =
        targets::find(std::getenv("RECORDKIT_FUZZ") ? std::getenv("RECORDKIT_FUZZ") : "");
    if (!target) {
        std::fprintf(stderr, "fuzz: RECORDKIT_FUZZ names no target\n");
        std::exit(2);
    }
    target->run({data, size});
    return 0;
}
