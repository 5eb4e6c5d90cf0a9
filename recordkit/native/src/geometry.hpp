// Resizes, crops and flips of an image of known size, drawn before a pixel of it is decoded. What each means is in
// recordkit/transforms: formulas, the order of draws and roundings are the same there.
#pragma once

#include "common.hpp"
#include "draws.hpp"
#include "taps.hpp"

namespace recordkit {

// One transform.
struct Step {
    enum class Kind { resize, center_crop, random_crop, resized_crop, flip };

    Kind kind;
    uint32_t number;                 // its place among all transforms, for its draws
    uint32_t height = 0, width = 0;  // of the result; of a resize, the short side is `height`; 0: the central square
    Filter filter = Filter::none;
    double low = 0, high = 0;              // share of the area; of a flip, its probability is `high`
    double ratio_low = 0, ratio_high = 0;  // width to height
};

// Some steps at once: a part of an image, resized, a part of that, mirrored.
struct Geometry {
    Rect cut;                        // of the image
    uint32_t width = 0, height = 0;  // to which it is resized
    Filter filter = Filter::none;    // none: it is not
    Rect window;                     // of the resized
    bool mirror = false;

    bool resizes() const { return filter != Filter::none; }
};

// Where the draws of a sample come from.
struct Place {
    uint64_t seed;
    uint32_t epoch;
    uint64_t position;
};

// Draw what becomes of an image of that size; the last is what the batch gets. There is more than one where an image is
// resized twice. Throws Unsupported where an image is smaller than a crop, which the reference engine words.
std::vector<Geometry> draw_geometry(const std::vector<Step>& steps, uint32_t width, uint32_t height, const Place& place);

}  // namespace recordkit
