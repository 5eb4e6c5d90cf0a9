#include "headers.hpp"

#include <algorithm>
#include <cstring>

#include "read_many.hpp"

namespace recordkit {
namespace {

constexpr size_t kImageHeaderSize = 24;
// The system is told of so many records at once, while those before them are read.
constexpr size_t kAhead = 4096;

template <typename T>
T value_at(const uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

void add(Span record, uint64_t offset, Headers& out) {
    if (record.size < kImageHeaderSize)
        throw FormatFault("a 24-byte image header", std::to_string(record.size) + " bytes", offset, true);
    const uint64_t n_labels = value_at<uint32_t>(record.data), end = kImageHeaderSize + 4 * n_labels;
    if (end > record.size)
        throw FormatFault(std::to_string(n_labels) + " labels, which end at byte " + std::to_string(end),
                          "a record of " + std::to_string(record.size) + " bytes", offset, true,
                          "was the file made by im2rec?");
    out.keys.push_back(value_at<uint64_t>(record.data + 8));
    if (!n_labels) out.labels.push_back(value_at<float>(record.data + 4));
    for (uint64_t at = kImageHeaderSize; at < end; at += 4) out.labels.push_back(value_at<float>(record.data + at));
    out.bounds.push_back(out.labels.size());
}

}  // namespace

Headers read_headers(const MappedFile& file, const uint64_t* offsets, size_t n, const Pause& pause) {
    const Span bytes = file.bytes();
    Headers out;
    out.keys.reserve(n);
    out.labels.reserve(n);
    out.bounds.reserve(n + 1);
    out.bounds.push_back(0);
    std::vector<uint8_t> joined;
    for (size_t i = 0; i < n; ++i) {
        if (i % kAhead == 0) advise(file, offsets + i, std::min(2 * kAhead, n - i), kHeadSize + kImageHeaderSize);
        if ((i + 1) % kPauseRecords == 0) pause();
        const Extent extent = find_record(bytes, offsets[i]);
        if (extent.whole) {
            add(bytes.sub(extent.offset + kHeadSize, extent.length), extent.offset, out);
        } else {
            joined.resize(extent.length);
            copy_record(bytes, extent, joined.data());
            add({joined.data(), joined.size()}, extent.offset, out);
        }
    }
    return out;
}

}  // namespace recordkit
