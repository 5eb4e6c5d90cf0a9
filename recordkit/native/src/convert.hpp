// The last step into a batch: a decoded image becomes numbers of the batch's type, normalised, mirrored and laid out.
#pragma once

#include "common.hpp"

namespace recordkit {

enum class ElementType : uint8_t { uint8, float16, float32 };

// Shape, layout and type of each sample of a batch.
struct Target {
    ElementType type = ElementType::uint8;
    bool planar = false;  // channels in separate planes (NCHW), otherwise interleaved (NHWC)
    uint32_t width = 0, height = 0, channels = 0;
    // Each value becomes (x - mean) * factor in float32, as in recordkit/transforms/normalize.py.
    float mean[4] = {}, factor[4] = {1, 1, 1, 1};

    size_t element_bytes() const { return type == ElementType::uint8 ? 1 : type == ElementType::float16 ? 2 : 4; }
    size_t bytes() const { return size_t(width) * height * channels * element_bytes(); }
};

// Write an image, whose size and channels are the target's, into one sample of a batch: `sample` has `target.bytes()`
// bytes and is aligned for the target's type. The batch array of the caller owns it.
void convert(const ImageView& image, bool mirror, const Target& target, MutableSpan sample);

}  // namespace recordkit
