// Image headers of many records, read without their images. Layout and error messages are those of
// recordkit/formats/irheader.py.
#pragma once

#include "file.hpp"
#include "records.hpp"

namespace recordkit {

constexpr size_t kImageHeaderSize = 24;

// Size of the image header and the labels of a record of `length` bytes, whose first bytes, kImageHeaderSize or all, are
// at `start`. `offset` is that of the record, for the FormatFault that this throws if it cannot have these labels.
uint64_t header_end(const uint8_t* start, uint64_t length, uint64_t offset);

struct Headers {
    std::vector<uint64_t> keys;
    std::vector<float> labels;     // of all records, concatenated
    std::vector<uint64_t> bounds;  // the labels of record n are labels[bounds[n]] to labels[bounds[n + 1] - 1]
};

// Read the headers of the records at `n` offsets; the caller owns the array for the time of the call. Throws
// FormatFault for the first bad record.
Headers read_headers(
    const File& file, const uint64_t* offsets, size_t n, const InterruptCheck& check_interrupt = [] {});

// Sizes of the records at `n` offsets without their image headers, in bytes. Ownership and errors are those of
// read_headers.
std::vector<uint64_t> read_payload_sizes(
    const File& file, const uint64_t* offsets, size_t n, const InterruptCheck& check_interrupt = [] {});

}  // namespace recordkit
