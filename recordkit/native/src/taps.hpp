// Which lines of an image make each line of a resized one, and how much of each.
#pragma once

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
};

// For `out` lines that cover `size` of the `in` lines there are, from `from` on. Neither need be whole.
Taps taps_for(Filter filter, uint32_t in, double from, double size, uint32_t out);

}  // namespace recordkit
