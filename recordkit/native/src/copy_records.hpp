// Copies records into memory as they are in their files, with other keys and labels if asked for. The results, also
// for damaged records, are defined by recordkit/dataset/copied_records.py.
#pragma once

#include <vector>

#include "records.hpp"

namespace recordkit {

// The caller owns all arrays and files for the time of the call.
struct CopyRequest {
    size_t n = 0;
    std::vector<const File*> files;  // by number
    const int64_t* file_numbers = nullptr;
    const uint64_t* offsets = nullptr;
    const uint64_t* ends = nullptr;      // an offset at or behind the end of each record; need not be right
    const int64_t* checksums = nullptr;  // expected CRC-32 of each record; negative if there is none
    const uint64_t* new_keys = nullptr;  // null to keep the keys
    const float* new_labels = nullptr;   // null to keep the labels
    const uint64_t* new_bounds =
        nullptr;  // the labels of record n: new_labels[new_bounds[n]] to [new_bounds[n + 1] - 1]
};

struct CopiedRecords {
    Scratch frames;  // the records with their frames, concatenated
    std::vector<uint64_t> sizes;
    std::vector<uint32_t> checksums;
    std::vector<uint32_t> widths;  // numbers of labels
};

// `row` becomes the number of the record that is being copied, for the path of an error. The result takes the memory of
// `frames`, if it has some. Throws FormatFault, also for a wrong CRC-32, and SystemFault.
CopiedRecords copy_records(const CopyRequest& request, size_t* row, Scratch frames = {});

}  // namespace recordkit
