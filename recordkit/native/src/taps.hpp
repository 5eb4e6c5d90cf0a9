// The input lines (rows or columns) from which each line of a resized image is made, and their weights.
#pragma once

#include <algorithm>

#include "common.hpp"

namespace recordkit {

// The filters of recordkit.transforms.resize that the core has.
enum class Filter : uint8_t { none, antialias, bilinear };

constexpr int kWeightBits = 15;  // fraction bits of a weight

// Result line n is the weighted sum of `count[n]` input lines from `first[n]` on. The weights of a line are fixed-point
// numbers that add up to 1 << kWeightBits, or to 1 less if a single weight would be 1 << kWeightBits, which int16
// cannot hold.
struct Taps {
    std::vector<int> first, count;
    std::vector<int16_t> weights;
    int weights_per_line = 0;

    // The weights of a line, owned by `weights`.
    const int16_t* line_weights(size_t line) const { return &weights[line * weights_per_line]; }
    int last(size_t line) const { return first[line] + count[line] - 1; }
    size_t size() const { return first.size(); }
    // The range of input lines that are used; `end` is one after the last.
    int begin() const { return std::min(first.front(), first.back()); }
    int end() const { return std::max(last(0), last(size() - 1)) + 1; }
    // Reverse the order of the result lines.
    void mirror();
    // Repeat the last result line until there are `n`.
    void repeat_last(size_t n);
    // Renumber the input lines.
    void move(int by) {
        for (int& line : first) line += by;
    }
};

// A range of input lines, which may begin and end inside a line.
struct LineRange {
    double begin, size;
};

// Taps for the result lines `first` to `first + n - 1`, of `out` lines that cover `range` of the `in` input lines.
Taps taps_for(Filter filter, uint32_t in, const LineRange& range, uint32_t out, uint32_t first, uint32_t n);

// How libjpeg-turbo enlarges a plane with fewer samples than the image has lines.
struct Upsampling {
    uint32_t lines_per_sample = 1;
    uint32_t lines_before = 0;  // lines of the first sample that lie before the image, after a plane was turned
    bool smooth =
        false;  // 3/4 of the nearest sample and 1/4 of the next nearest, for 2 lines per sample; else repeated
};

// Taps that make the samples of a halved plane from those of a plane: the input is enlarged to the lines of the image,
// resized by `lines`, and each two result lines are averaged, which a JPEG encoder does with chroma. All three are
// sums with weights, so their product is one, too. `n` samples are made; those after the last one repeat the last line.
Taps halved_taps(const Taps& lines, Upsampling upsampling, uint32_t n_samples, uint32_t n);

// Taps for all lines of a whole image.
inline Taps taps_for(Filter filter, uint32_t in, uint32_t out) {
    return taps_for(filter, in, {0, double(in)}, out, 0, out);
}

}  // namespace recordkit
