// Resizes, crops, flips, borders and warps of an image of known size, drawn before a pixel of it is decoded. What each
// means is in recordkit/transforms: formulas, the order of draws and roundings are the same there.
#pragma once

#include "canvas.hpp"
#include "common.hpp"
#include "draws.hpp"
#include "taps.hpp"

namespace recordkit {

// A number, or a range that one is drawn from.
struct Range {
    double low = 0, high = 0;
    bool drawn = false;

    double draw(Draws& draws) const { return drawn ? draws.uniform(low, high) : low; }
};

// One transform.
struct Step {
    enum class Kind { resize, center_crop, random_crop, resized_crop, size_crop, center_size_crop, flip, pad, warp };

    Kind kind;
    uint32_t number;                 // its place among all transforms, for its draws
    uint32_t height = 0, width = 0;  // of the result; of a resize, the short side is `height`; 0: the central square
    Filter filter = Filter::none;
    double low = 0, high = 0;              // share of the area; of a flip, its probability is `high`
    double ratio_low = 0, ratio_high = 0;  // width to height
    uint32_t side_low = 0, side_high = 0;  // of the square that a size crop cuts out
    uint32_t margin = 0;                   // of a border on each side; 0: `height` and `width` are to be reached
    uint8_t fill = 0;
    Range shear, angle, scale, aspect;  // of a warp
    std::vector<int> angles;            // whole degrees, of which one is drawn; none: `angle` counts
};

// Some steps at once: a part of an image, resized, padded or warped, a part of that, mirrored.
struct Geometry {
    enum class Change { none, resize, pad, warp };

    Rect cut;                        // of the image
    uint32_t width = 0, height = 0;  // to which it is changed
    Change change = Change::none;
    Rect window;  // of the changed
    bool mirror = false;
    Filter filter = Filter::none;  // of a resize
    uint32_t left = 0, top = 0;    // of the image on a larger canvas
    Warp warp;
    uint8_t fill = 0;

    bool changes() const { return change != Change::none; }
    bool resizes() const { return change == Change::resize; }
};

// Where the draws of a sample come from.
struct Place {
    uint64_t seed;
    uint32_t epoch;
    uint64_t position;
};

// Draw what becomes of an image of that size; the last is what the batch gets. There is more than one where an
// image is changed twice. Throws Unsupported where an image is smaller than a crop, which the reference engine words.
std::vector<Geometry> draw_geometry(const std::vector<Step>& steps, uint32_t width, uint32_t height,
                                    const Place& place);

}  // namespace recordkit
