// The last step into a batch: pixels to numbers of a type, normalised, mirrored, channels apart or together.
#pragma once

#include "common.hpp"

namespace recordkit {

enum class Type { uint8, float16, float32 };

// What a batch wants of each sample.
struct Target {
    Type type = Type::uint8;
    bool planar = false;  // channels apart (NCHW)
    uint32_t width = 0, height = 0, channels = 0;
    // (x - mean) * factor, in float32; recordkit/transforms/normalize.py.
    float mean[4] = {}, factor[4] = {1, 1, 1, 1};

    size_t bytes() const {
        return size_t(width) * height * channels * (type == Type::uint8 ? 1 : type == Type::float16 ? 2 : 4);
    }
};

// Put an image of the target's sides and channels into its place, which is `target.bytes()` large.
void convert(const ImageView& image, bool mirror, const Target& target, void* place);

}  // namespace recordkit
