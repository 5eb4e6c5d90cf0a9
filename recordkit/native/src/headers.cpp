#include "headers.hpp"

#include <algorithm>
#include <cstring>

#include "read_many.hpp"

namespace recordkit {
namespace {

// Records for which the system is asked to read ahead at once, while earlier ones are parsed.
constexpr size_t kReadAheadRecords = 4096;

template <typename T>
T read_little_endian(const uint8_t* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

// The first bytes of a record, with its image header without the labels behind it.
struct Start {
    Span bytes;
    uint64_t n_labels;  // behind the header
    uint64_t end;       // of the header with these labels, at most `length`
    uint64_t length;    // of the record
};

Start read_start(RecordReader& reader, uint64_t offset) {
    uint64_t length = 0;
    const Span bytes = reader.read_start(offset, kImageHeaderSize, &length);
    const uint64_t end = header_end(bytes.data, length, offset);
    return {bytes, (end - kImageHeaderSize) / 4, end, length};
}

void append_header(RecordReader& reader, uint64_t offset, Headers& out) {
    auto [start, n_labels, end, length] = read_start(reader, offset);
    out.keys.push_back(read_little_endian<uint64_t>(start.data + 8));
    if (!n_labels) out.labels.push_back(read_little_endian<float>(start.data + 4));
    if (n_labels) start = reader.read_start(offset, end, &length);
    if (start.size < end) throw record_changed(offset);
    for (uint64_t offset_in_record = kImageHeaderSize; offset_in_record < end; offset_in_record += 4)
        out.labels.push_back(read_little_endian<float>(start.data + offset_in_record));
    out.bounds.push_back(out.labels.size());
}

// Call `take(reader, offset)` for each record, with the next ones read ahead.
template <typename Take>
void each_start(const File& file, const uint64_t* offsets, size_t n, const InterruptCheck& check_interrupt,
                const Take& take) {
    Scratch scratch;
    RecordReader reader(file, scratch, RecordReader::kHeadBlockBytes);
    for (size_t i = 0; i < n; ++i) {
        if (i % kReadAheadRecords == 0)
            advise(file, offsets + i, std::min(2 * kReadAheadRecords, n - i), kHeadSize + kImageHeaderSize);
        if ((i + 1) % kRecordsPerCheck == 0) check_interrupt();
        take(reader, offsets[i]);
    }
}

}  // namespace

uint64_t header_end(const uint8_t* start, uint64_t length, uint64_t offset) {
    if (length < kImageHeaderSize) throw FormatFault("a 24-byte image header", plural(length, "byte"), offset, true);
    const uint64_t n_labels = read_little_endian<uint32_t>(start), end = kImageHeaderSize + 4 * n_labels;
    if (end > length)
        throw FormatFault("an image header and its labels",
                          plural(length, "byte") + ", of which the first 4 announce " + plural(n_labels, "label"),
                          offset, true);
    if (n_labels > kMaxLabels)
        throw FormatFault("at most " + std::to_string(kMaxLabels) + " labels", std::to_string(n_labels), offset);
    return end;
}

Headers read_headers(const File& file, const uint64_t* offsets, size_t n, const InterruptCheck& check_interrupt) {
    Headers out;
    out.keys.reserve(n);
    out.labels.reserve(n);
    out.bounds.reserve(n + 1);
    out.bounds.push_back(0);
    each_start(file, offsets, n, check_interrupt,
               [&](RecordReader& reader, uint64_t offset) { append_header(reader, offset, out); });
    return out;
}

std::vector<uint64_t> read_payload_sizes(const File& file, const uint64_t* offsets, size_t n,
                                         const InterruptCheck& check_interrupt) {
    std::vector<uint64_t> sizes;
    sizes.reserve(n);
    each_start(file, offsets, n, check_interrupt, [&](RecordReader& reader, uint64_t offset) {
        const Start start = read_start(reader, offset);
        sizes.push_back(start.length - start.end);
    });
    return sizes;
}

}  // namespace recordkit
