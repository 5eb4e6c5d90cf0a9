// The two resizes of recordkit.transforms.resize that im2rec and recordkit use by default:
//
// antialias  Pillow's resize(BILINEAR), without its rounding between rows and columns: at most 1 level from it.
// bilinear   Pillow's transform(AFFINE, BILINEAR), between the 4 nearest pixels: at most 1 level from it.
//
// Source: src/libImaging/Resample.c and Geometry.c of Pillow.
#pragma once

#include "common.hpp"
#include "taps.hpp"

namespace recordkit {

// Compute the result lines of these taps. Throws Unsupported for a reduction by more than 30.
Image resize(const ImageView& image, const Taps& columns, const Taps& rows, Filter filter);

inline Image resize(const ImageView& image, uint32_t width, uint32_t height, Filter filter) {
    return resize(image, taps_for(filter, image.width, width), taps_for(filter, image.height, height), filter);
}

// Like `resize`, with the instructions that every CPU has. Tests compare it with `resize`: the pixels are equal.
Image resize_portable(const ImageView& image, const Taps& columns, const Taps& rows, Filter filter);

// The instructions that `resize` uses on this CPU: "AVX2" or "portable".
const char* resize_instructions();

}  // namespace recordkit
