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

// Taps for all lines of a whole image.
inline Taps taps_for(Filter filter, uint32_t in, uint32_t out) {
    return taps_for(filter, in, {0, double(in)}, out, 0, out);
}

}  // namespace recordkit
