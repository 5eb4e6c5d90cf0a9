// The pass of `recordkit verify` over records. The facts are defined in recordkit/upkeep/check/record_check.py.
#pragma once

#include <functional>

#include "file.hpp"

namespace recordkit {

// The result for one record.
enum class RecordState : uint8_t {
    good,
    unreadable,  // no whole frame or no readable header
    doubtful,    // a label that is not finite, no image, or one that the reference engine has to decode
};

// Facts of some records, in columns. A record that is unreadable has the id 0 and no labels.
struct CheckedRecords {
    std::vector<uint64_t> ids;
    std::vector<float> labels;     // of all records, concatenated
    std::vector<uint64_t> bounds;  // the labels of record n are labels[bounds[n]] to labels[bounds[n + 1] - 1]
    std::vector<uint32_t> checksums;
    std::vector<RecordState> states;
};

// Check the records at `n` offsets, which the caller owns, in file order. `decodes(image)` tells if the payload of a
// record decodes, and `is_due()` is asked before each record and ends the work early if it returns true. Throws what
// these two throw.
CheckedRecords check_records(const File& file, const uint64_t* offsets, size_t n,
                             const std::function<bool(Span)>& decodes, const std::function<bool()>& is_due);

// Tell good images from those in which a decoder notices damage, without making pixels.
// Throws Unsupported if the reference engine has to decode the image.
void check_image(Span payload);

}  // namespace recordkit
