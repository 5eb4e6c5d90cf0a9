// Images that are put on a larger, or turned on an equal, canvas; what they leave free is filled with one gray, alpha 0.
// The formulas are those of recordkit/transforms/affine.py and pad.py, to the last bit.
#pragma once

#include "common.hpp"

namespace recordkit {

// A turn, shear, scale and stretch about the middle.
struct Warp {
    double shear = 0, angle = 0, scale = 1, aspect = 1;  // the angle in degrees

    // The side of the canvas for one of the image.
    uint32_t side(uint32_t of) const;
};

// The part `window` of the canvas that the image is warped onto.
Image warp(const ImageView& image, const Warp& warp, uint8_t fill, const Rect& window);

// The part `window` of a canvas on which the image lies `left` and `top` of its corner.
Image pad(const ImageView& image, uint32_t left, uint32_t top, uint8_t fill, const Rect& window);

}  // namespace recordkit
