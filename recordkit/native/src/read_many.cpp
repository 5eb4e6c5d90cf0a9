#include "read_many.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>

#include "pool.hpp"

namespace recordkit {
namespace {

// Records per work item; starting a thread takes as long as reading hundreds of records.
constexpr size_t kRecordsPerItem = 4096;
// Gaps up to this size are read with the records around them, because a second request costs more.
constexpr uint64_t kMaxGapBytes = 1 << 16;
// Bytes of short records that one call holds twice for a while.
constexpr size_t kMaxKeptBytes = size_t(1) << 26;

std::vector<size_t> by_offset(const uint64_t* offsets, size_t n) {
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t(0));
    if (!std::is_sorted(offsets, offsets + n))
        std::sort(order.begin(), order.end(), [offsets](size_t a, size_t b) { return offsets[a] < offsets[b]; });
    return order;
}

// A record that was found. Short records are kept, because another system call would cost more than a copy.
struct FoundRecord {
    Extent extent;
    std::vector<uint8_t>* item = nullptr;  // the work item's memory that has the bytes; null if they are not kept
    size_t begin = 0;                      // of the bytes in it
};

// Find every record. If records are bad, the error is that of the first one in the caller's order.
std::vector<FoundRecord> find_all(const File& file, const uint64_t* offsets, const std::vector<size_t>& order,
                                  unsigned n_threads, std::vector<std::vector<uint8_t>>& items) {
    std::vector<FoundRecord> records(order.size());
    std::atomic<size_t> n_kept{0};
    try {
        parallel_for(order.size(), kRecordsPerItem, n_threads, [&](size_t begin, size_t end) {
            Scratch scratch;
            RecordReader reader(file, scratch);
            for (size_t n = begin; n < end; ++n) {
                FoundRecord& found = records[order[n]];
                found.extent = reader.find(offsets[order[n]]);
                const uint64_t length = found.extent.length;
                if (length > kLongRecordBytes) file.will_need(found.extent.offset, found.extent.end);
                else if (n_kept.fetch_add(length) + length <= kMaxKeptBytes) {
                    found.item = &items[begin / kRecordsPerItem];
                    found.begin = found.item->size();
                    const Span bytes = reader.read(found.extent.offset).bytes;
                    found.item->insert(found.item->end(), bytes.data, bytes.data + bytes.size);
                    found.extent.length = bytes.size;
                }
            }
        });
    } catch (const FormatFault&) {
        Scratch scratch;
        RecordReader reader(file, scratch);
        for (size_t n = 0; n < order.size(); ++n) reader.find(offsets[n]);
        throw;
    }
    return records;
}

// Copy a record to memory for the number of bytes that it had when it was found.
void copy(const File& file, const FoundRecord& found, RecordReader& reader, uint8_t* out) {
    const Extent& extent = found.extent;
    if (!extent.length) return;
    if (found.item) {
        std::memcpy(out, found.item->data() + found.begin, extent.length);
    } else if (extent.single_part) {
        if (file.read(extent.offset + kHeadSize, {out, extent.length}) < extent.length)
            throw file.shrunk(extent.offset);
    } else {
        const Span bytes = reader.read(extent.offset).bytes;
        if (bytes.size != extent.length) throw record_changed(extent.offset);
        std::memcpy(out, bytes.data, bytes.size);
    }
}

}  // namespace

std::vector<uint64_t> read_many(const File& file, const uint64_t* offsets, size_t n, unsigned n_threads,
                                const std::function<uint8_t*(size_t)>& allocate) {
    const std::vector<size_t> order = by_offset(offsets, n);
    std::vector<std::vector<uint8_t>> items((n + kRecordsPerItem - 1) / kRecordsPerItem);
    const std::vector<FoundRecord> records = find_all(file, offsets, order, n_threads, items);
    std::vector<uint64_t> bounds(n + 1);
    for (size_t i = 0; i < n; ++i) bounds[i + 1] = bounds[i] + records[i].extent.length;
    uint8_t* const out = allocate(bounds[n]);
    parallel_for(n, kRecordsPerItem, n_threads, [&](size_t begin, size_t end) {
        Scratch scratch;
        RecordReader reader(file, scratch);
        for (size_t i = begin; i < end; ++i) copy(file, records[order[i]], reader, out + bounds[order[i]]);
    });
    return bounds;
}

void advise(const File& file, const uint64_t* offsets, size_t n, uint64_t record_bytes) {
    std::vector<uint64_t> ordered(offsets, offsets + n);
    std::sort(ordered.begin(), ordered.end());
    for (size_t i = 0; i < n;) {
        size_t last = i;
        while (last + 1 < n && ordered[last + 1] - ordered[last] <= record_bytes + kMaxGapBytes) ++last;
        file.will_need(ordered[i], ordered[last] + record_bytes);
        i = last + 1;
    }
}

}  // namespace recordkit
