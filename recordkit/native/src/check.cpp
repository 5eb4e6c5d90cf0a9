#include "check.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "deflate.hpp"
#include "headers.hpp"
#include "image_format.hpp"
#include "jpeg.hpp"
#include "png.hpp"
#include "raw.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

constexpr size_t kLabelOffset = 4, kIdOffset = 8;

// Append the labels of a record, and tell if they are all finite.
bool append_labels(Span record, uint64_t header_end, std::vector<float>& labels) {
    const bool has_vector = header_end > kImageHeaderSize;
    const size_t begin = has_vector ? kImageHeaderSize : kLabelOffset;
    const size_t n = has_vector ? (header_end - kImageHeaderSize) / sizeof(float) : 1, first = labels.size();
    labels.resize(first + n);
    std::memcpy(labels.data() + first, record.data + begin, n * sizeof(float));
    return std::all_of(labels.begin() + static_cast<ptrdiff_t>(first), labels.end(),
                       [](float label) { return std::isfinite(label); });
}

}  // namespace

CheckedRecords check_records(const File& file, const uint64_t* offsets, size_t n,
                             const std::function<bool(Span)>& decodes, const std::function<bool()>& is_due) {
    CheckedRecords out;
    out.ids.resize(n);
    out.bounds.resize(n + 1);
    out.checksums.resize(n);
    out.states.resize(n, RecordState::unreadable);
    out.labels.reserve(n);
    ThreadScratch scratch;
    RecordReader reader(file, scratch);
    for (size_t i = 0; i < n; ++i) {
        out.bounds[i + 1] = out.bounds[i];
        if (is_due()) continue;
        try {
            const Span record = reader.read(offsets[i], i + 1 < n ? offsets[i + 1] : 0).bytes;
            const uint64_t end = header_end(record.data, record.size, offsets[i]);
            std::memcpy(&out.ids[i], record.data + kIdOffset, sizeof out.ids[i]);
            const bool is_finite = append_labels(record, end, out.labels);
            out.bounds[i + 1] = out.labels.size();
            out.checksums[i] = crc32_of(record);
            const Span payload = record.sub(end, record.size - end);
            const bool is_good = is_finite && payload.size && decodes(payload);
            out.states[i] = is_good ? RecordState::good : RecordState::doubtful;
        } catch (const FormatFault&) {  // the reference engine reads the record again and words the error
        } catch (const SystemFault&) {
        }
    }
    return out;
}

void check_image(Span payload) {
    switch (format_of(payload)) {
        case ImageFormat::jpeg: Jpeg(payload, 0).check(); return;
        case ImageFormat::png: check_png(payload); return;
        case ImageFormat::raw: view_raw(payload); return;
        case ImageFormat::unknown: break;
    }
    throw Unsupported("a format that the reference engine decodes");
}

}  // namespace recordkit
