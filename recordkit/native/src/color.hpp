// Changes of the colours of an image: brightness, contrast, saturation, hue, lightness, light and gray, and rectangles
// painted over it. The formulas and roundings are those of recordkit/transforms: float32, each change rounded to whole
// levels, so that the pixels are equal.
#pragma once

#include "common.hpp"

namespace recordkit {

// One change, with its random numbers drawn.
struct ColorChange {
    enum class Kind : uint8_t {
        scale,     // x * factor
        contrast,  // x * factor + (1 - factor) * mean
        saturate,  // x * factor + Y * (1 - factor)
        mix,       // each channel is a sum of the three, with the weights of a row of `matrix`
        hsl,       // hue, saturation and lightness grow by `shift`
        add,       // each channel grows by `shift`
        gray,      // Y
        paint      // `rect` becomes `fill`
    };

    Kind kind = Kind::scale;
    double factor = 1;
    float matrix[3][3] = {};
    float shift[3] = {};
    Rect rect;
    uint8_t fill = 0;
};

// Apply changes to an image, one after the other. The fourth of four channels stays, and so does an image of one channel
// where a change has no meaning for gray.
void change_colors(Image& image, const std::vector<ColorChange>& changes);

// Like `change_colors`, with the instructions that every CPU has. Tests compare the two: the pixels are equal.
void change_colors_portable(Image& image, const std::vector<ColorChange>& changes);

}  // namespace recordkit
