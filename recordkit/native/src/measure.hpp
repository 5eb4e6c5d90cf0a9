// Facts of an image for statistics: its encoding, its size, and the sums of its pixels. The facts and their order are
// defined in recordkit/upkeep/look/measurement.py.
#pragma once

#include "common.hpp"

namespace recordkit {

// Columns of a row of facts.
struct Measurement {
    int64_t format;         // 1 JPEG, 2 PNG, 3 raw
    int64_t n_bytes;        // of the payload
    int64_t width, height;  // in pixels, of the upright image
    int64_t color;          // 1 gray, 2 gray and alpha, 3 colour, 4 colour and alpha, 5 palette, 6 CMYK
    int64_t progressive;    // 1 for a progressive JPEG
    int64_t sampling;       // of a JPEG's chroma: 444, 440, 422, 420, 411, 410; 0 for gray, CMYK and any other
    int64_t quality;        // of a JPEG, 1 to 100, by its luma table; 0 if the table is not libjpeg's
    int64_t sums[3];        // of red, green and blue over all pixels
    int64_t squares[3];     // the same of squares
};
constexpr size_t kMeasurementColumns = sizeof(Measurement) / sizeof(int64_t);
static_assert(kMeasurementColumns == 14, "as many as COLUMNS in measurement.py");

// Decode an image and measure it. Throws Unsupported if the reference engine has to measure it.
Measurement measure(Span payload);

}  // namespace recordkit
