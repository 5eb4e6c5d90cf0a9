// Warps and borders: an image is drawn onto a canvas of equal or larger size. The rest of the canvas is filled with one
// gray level, with alpha 0. Results are bit-exact with recordkit/transforms/affine.py and pad.py.
#pragma once

#include "common.hpp"

namespace recordkit {

// A rotation, shear, scale and stretch about the centre of an image.
struct Warp {
    double shear = 0, angle = 0, scale = 1, aspect = 1;  // the angle in degrees

    // Side of the canvas for a side of the image, both in pixels.
    uint32_t canvas_side(uint32_t image_side) const;
};

// Warp an image onto its canvas and return the rectangle `window` of the canvas.
Image warp(const ImageView& image, const Warp& warp, uint8_t fill, const Rect& window);

// Put an image onto a larger canvas, `left` and `top` pixels from its corner, and return the rectangle `window` of it.
Image pad(const ImageView& image, uint32_t left, uint32_t top, uint8_t fill, const Rect& window);

}  // namespace recordkit
