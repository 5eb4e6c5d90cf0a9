// Image headers of many records, without their images. The layout is in recordkit/formats/irheader.py, whose messages
// these are.
#pragma once

#include "file.hpp"
#include "records.hpp"

namespace recordkit {

struct Headers {
    std::vector<uint64_t> keys;
    std::vector<float> labels;     // of all records, end to end
    std::vector<uint64_t> bounds;  // those of record n are bounds[n] to bounds[n + 1]
};

// Read the headers of the records at these offsets. Throws FormatFault for the first at fault.
Headers read_headers(const MappedFile& file, const uint64_t* offsets, size_t n, const Pause& pause = [] {});

}  // namespace recordkit
