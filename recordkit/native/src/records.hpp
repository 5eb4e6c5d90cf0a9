// Records of a .rec file in memory: finding, reading and framing them. The format, and what counts as damage, is in
// recordkit/formats/frame.py, whose messages these are, to the letter.
#pragma once

#include <functional>
#include <vector>

#include "common.hpp"

namespace recordkit {

constexpr uint32_t kMagic = 0xced7230a;
constexpr uint64_t kHeadSize = 8;
constexpr uint64_t kMaxRecordBytes = (uint64_t(1) << 29) - 1;

// Append `record` with its frame (heads, escaped magics, padding) to `out`. `record` is at most kMaxRecordBytes long.
void frame_record(Span record, std::vector<uint8_t>& out);

// One record in a file: where its head is, where the next one's is, how long the record is with its parts joined.
struct Extent {
    uint64_t offset = 0;
    uint64_t end = 0;
    uint64_t length = 0;
    bool whole = true;  // one part: the record is the file's bytes from offset + 8
};

// Find the record whose head is at `offset` of a file's bytes. Throws FormatFault.
Extent find_record(Span file, uint64_t offset);

// Copy the record to `out`, which has room for extent.length bytes. Throws FormatFault if it was changed since it was found.
void copy_record(Span file, const Extent& extent, uint8_t* out);

// Called now and then in long work; what it throws ends the work.
using Pause = std::function<void()>;
constexpr size_t kPauseRecords = size_t(1) << 14;

// Offsets of all records from `begin` on, in file order. Throws FormatFault at the first damage.
std::vector<uint64_t> scan(Span file, uint64_t begin = 0, const Pause& pause = [] {});

// The first multiple of 4 from `offset` on that holds a magic and a cflag of 0 or 1; file.size if there is none.
uint64_t next_head(Span file, uint64_t offset);

}  // namespace recordkit
