#include "read_many.hpp"

#include <algorithm>
#include <numeric>

#include "pool.hpp"

namespace recordkit {
namespace {

// Records per work item; starting a thread takes as long as reading hundreds of records.
constexpr size_t kRecordsPerItem = 4096;
// Gaps up to this size are read with the records around them, because a second request costs more.
constexpr uint64_t kMaxGapBytes = 1 << 16;

std::vector<size_t> by_offset(const uint64_t* offsets, size_t n) {
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t(0));
    if (!std::is_sorted(offsets, offsets + n))
        std::sort(order.begin(), order.end(), [offsets](size_t a, size_t b) { return offsets[a] < offsets[b]; });
    return order;
}

// Find every record. If records are bad, the error is that of the first one in the caller's order.
std::vector<Extent> find_all(const MappedFile& file, Span bytes, const uint64_t* offsets,
                             const std::vector<size_t>& order, unsigned n_threads) {
    std::vector<Extent> extents(order.size());
    try {
        parallel_for(order.size(), kRecordsPerItem, n_threads, [&](size_t begin, size_t end) {
            for (size_t n = begin; n < end; ++n) {
                const Extent extent = extents[order[n]] = find_record(bytes, offsets[order[n]]);
                if (extent.length > kLongRecordBytes) file.will_need(extent.offset, extent.end);
            }
        });
    } catch (const FormatFault&) {
        for (size_t n = 0; n < order.size(); ++n) find_record(bytes, offsets[n]);
        throw;
    }
    return extents;
}

}  // namespace

std::vector<uint64_t> read_many(const MappedFile& file, const uint64_t* offsets, size_t n, unsigned n_threads,
                                const std::function<uint8_t*(size_t)>& allocate) {
    const Span bytes = file.bytes();
    const std::vector<size_t> order = by_offset(offsets, n);
    const std::vector<Extent> extents = find_all(file, bytes, offsets, order, n_threads);
    std::vector<uint64_t> bounds(n + 1);
    for (size_t i = 0; i < n; ++i) bounds[i + 1] = bounds[i] + extents[i].length;
    uint8_t* const out = allocate(bounds[n]);
    parallel_for(n, kRecordsPerItem, n_threads, [&](size_t begin, size_t end) {
        for (size_t i = begin; i < end; ++i) copy_record(bytes, extents[order[i]], out + bounds[order[i]]);
    });
    return bounds;
}

void advise(const MappedFile& file, const uint64_t* offsets, size_t n, uint64_t record_bytes) {
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
