// Many records at once, in any order.
#pragma once

#include <functional>

#include "file.hpp"
#include "records.hpp"

namespace recordkit {

struct Batch {
    std::vector<uint64_t> bounds;  // record n is bytes bounds[n] to bounds[n + 1]
};

// Find the records at these offsets, in the file's order whatever theirs is, and lay them end to end, in theirs, into
// the memory that `allocate` gives for that many bytes. Throws FormatFault for the first, in their order, at fault.
Batch read_many(const MappedFile& file, const uint64_t* offsets, size_t n, unsigned n_threads,
                const std::function<uint8_t*(size_t)>& allocate);

// Tell the system which records are read soon; near ones together.
void advise(const MappedFile& file, const uint64_t* offsets, size_t n, uint64_t record_bytes);

}  // namespace recordkit
