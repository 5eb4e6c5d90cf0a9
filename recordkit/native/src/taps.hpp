// Which lines of an image make each line of a resized one, and how much of each.
#pragma once

#include <algorithm>

#include "common.hpp"

namespace recordkit {

// As recordkit.transforms.resize names them.
enum class Filter { none, antialias, bilinear };

// Result line n is the sum of `count[n]` lines from `first[n]` on, weighed by `of(n)`. A weight has 15 bits behind the
// point; those of a line add up to 1, or one bit less where one alone would be 1, which has no room.
struct Taps {
    std::vector<int> first, count;
    std::vector<int16_t> weights;
    int width = 0;  // weights kept for a line

    const int16_t* of(size_t line) const { return &weights[line * width]; }
    int last(size_t line) const { return first[line] + count[line] - 1; }
    size_t size() const { return first.size(); }
    // The lines that are needed, one behind the last.
    int begin() const { return std::min(first.front(), first.back()); }
    int end() const { return std::max(last(0), last(size() - 1)) + 1; }
    // Make the result lines in the opposite order.
    void mirror();
    // Count lines from another one on.
    void move(int by) {
        for (int& line : first) line += by;
    }
};

// A stretch of lines, which need not begin or end between two of them.
struct Stretch {
    double from, size;
};

// For lines `first` to `first + n` of the `out` lines that cover a stretch of the `in` lines there are.
Taps taps_for(Filter filter, uint32_t in, const Stretch& stretch, uint32_t out, uint32_t first, uint32_t n);

// For all lines of a whole image.
inline Taps taps_for(Filter filter, uint32_t in, uint32_t out) {
    return taps_for(filter, in, {0, double(in)}, out, 0, out);
}

}  // namespace recordkit
