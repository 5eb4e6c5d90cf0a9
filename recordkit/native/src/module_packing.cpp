// Python bindings for packing; recordkit.packing.native calls them.
#include "module.hpp"

#include "decode_bytes.hpp"
#include "deflate.hpp"
#include "module_limits.hpp"
#include "pack.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

// An encoded image or pixels, views of a Python object; neither if the core does not accept the object. The list that
// the caller passed keeps the object until the call returns.
struct Content {
    Span payload;
    ImageView pixels;
};

using Pixels = py::array_t<uint8_t, py::array::c_style>;

Content content_of(py::handle object) {
    Content content;
    if (py::isinstance<py::bytes>(object)) {
        content.payload = span_of(py::reinterpret_borrow<py::bytes>(object));
        return content;
    }
    if (!py::isinstance<Pixels>(object)) return content;  // another type, or not contiguous
    const auto array = py::reinterpret_borrow<Pixels>(object);
    if (array.ndim() != 3) return content;
    const auto channels = array.shape(2);
    if (channels != 1 && channels != 3 && channels != 4) return content;
    if (static_cast<uint64_t>(array.shape(0)) * static_cast<uint64_t>(array.shape(1)) > kMaxPixels || !array.size())
        return content;
    content.pixels = {array.data(), static_cast<uint32_t>(array.shape(1)), static_cast<uint32_t>(array.shape(0)),
                      static_cast<uint32_t>(channels), static_cast<size_t>(array.shape(1) * channels)};
    return content;
}

class Transcoder {
  public:
    explicit Transcoder(const Recipe& recipe) : recipe_(recipe) {}

    // Transcode encoded images or pixels into payloads, the first ones of at most `max_bytes` together; None for those
    // that the reference engine has to transcode. For `budget` and `stopped` see module_limits.hpp.
    py::list operator()(const py::list& objects, py::object budget, uint64_t max_bytes, py::object stopped) const {
        const Budget memory(std::move(budget));
        EarlyEnd early_end(std::move(stopped));
        std::vector<Content> contents;
        contents.reserve(objects.size());
        for (const auto& object : objects) contents.push_back(content_of(object));
        std::vector<uint8_t> all_payloads;
        std::vector<size_t> ends;
        std::vector<bool> supported;
        {
            const py::gil_scoped_release without_gil;
            for (const Content& content : contents) {
                if (early_end.is_due()) break;
                const bool is_supported = append(content, memory, all_payloads);
                if (all_payloads.size() > max_bytes) break;
                supported.push_back(is_supported);
                ends.push_back(all_payloads.size());
            }
        }
        py::list payloads(ends.size());
        std::vector<uint8_t*> copies(ends.size());  // of `payloads`; null for None
        for (size_t n = 0, begin = 0; n < ends.size(); begin = ends[n++]) {
            payloads[n] = py::none();
            if (supported[n]) payloads[n] = new_bytes(ends[n] - begin, copies[n]);
        }
        {
            const py::gil_scoped_release without_gil;
            for (size_t n = 0, begin = 0; n < ends.size(); begin = ends[n++])
                if (copies[n]) std::copy_n(all_payloads.data() + begin, ends[n] - begin, copies[n]);
        }
        return payloads;
    }

  private:
    bool append(const Content& content, const Budget& memory, std::vector<uint8_t>& out) const {
        const size_t begin = out.size();
        try {
            // The pixels, and a payload that may be as large as they are.
            const ImageView& pixels = content.pixels;
            const uint64_t pixel_bytes =
                pixels.data ? uint64_t(pixels.height) * pixels.stride : decode_bytes(content.payload, recipe_.channels);
            const Budget::Hold hold(memory, 2 * pixel_bytes);
            if (content.pixels.data) encode_pixels(content.pixels, recipe_, out);
            else transcode(content.payload, recipe_, out);
            return true;
        } catch (const Unsupported&) {
            out.resize(begin);
            return false;
        }
    }

    Recipe recipe_;
};

Transcoder make_transcoder(int channels, bool crop, const std::string& filter, uint32_t side,
                           const std::string& encoding, int quality, bool planes) {
    Recipe recipe;
    recipe.channels = channels;
    recipe.crop = crop;
    recipe.filter = filter == "antialias" ? Filter::antialias : filter == "bilinear" ? Filter::bilinear : Filter::none;
    recipe.side = side;
    recipe.planes = planes;
    recipe.encoding = encoding == "jpg" ? Encoding::jpg : encoding == "png" ? Encoding::png : Encoding::raw;
    recipe.quality = quality;
    return Transcoder(recipe);
}

constexpr uint64_t kHeaderSize = 24;  // as in recordkit/formats/irheader.py

// The length of a longer record does not fit the 29 bits of a frame head.
void check_length(uint64_t record_bytes) {
    if (record_bytes > kMaxRecordBytes)
        raise("FormatError", field("expected", "a record shorter than 2**29 bytes"),
              field("got", std::to_string(record_bytes) + " bytes"));
}

void append_bytes(std::vector<uint8_t>& out, const void* value, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(value);
    out.insert(out.end(), bytes, bytes + size);  // little-endian, as this machine and the file
}

// Frame records with their image headers. Return all frames, concatenated, the size of each, and the CRC-32 of each
// record if `checksums` is true. Labels of record n are labels[bounds[n]] to labels[bounds[n + 1] - 1]. Throws
// the errors of recordkit.formats.frame.pack.
py::tuple frame_records(const Column<uint64_t>& keys, const Column<float>& labels, const Column<uint64_t>& bounds,
                        const py::list& objects, bool first_label, bool checksums) {
    const size_t n_records = objects.size();
    if (keys.size() != static_cast<py::ssize_t>(n_records) || bounds.size() != static_cast<py::ssize_t>(n_records) + 1)
        throw py::value_error("expected a key and a bound for each payload");
    const uint64_t* bound = bounds.data();
    for (size_t n = 0; n < n_records; ++n)
        if (bound[n] >= bound[n + 1] || bound[n + 1] > static_cast<uint64_t>(labels.size()))
            throw py::value_error("expected increasing bounds, up to the number of labels");
    std::vector<Span> payloads;
    size_t total = 0;
    for (const auto& object : objects) {
        if (!py::isinstance<py::bytes>(object)) throw py::type_error("expected payloads as bytes");
        const size_t n = payloads.size();
        payloads.push_back(span_of(py::reinterpret_borrow<py::bytes>(object)));
        const uint64_t n_labels = bound[n + 1] - bound[n];
        check_length(kHeaderSize + (n_labels > 1 ? 4 * n_labels : 0) + payloads.back().size);
        total += payloads.back().size + 64;
    }
    std::vector<uint8_t> out, record;
    std::vector<size_t> sizes;
    std::vector<uint32_t> crcs;
    {
        const py::gil_scoped_release without_gil;
        out.reserve(total);
        for (size_t n = 0; n < n_records; ++n) {
            const float* record_labels = labels.data() + bound[n];
            const auto n_labels = static_cast<uint32_t>(bound[n + 1] - bound[n]);
            const uint32_t flag = n_labels > 1 ? n_labels : 0;
            const float label = flag && !first_label ? 0.0f : record_labels[0];
            const uint64_t header[2] = {keys.data()[n], 0};
            record.clear();
            append_bytes(record, &flag, 4);
            append_bytes(record, &label, 4);
            append_bytes(record, header, 16);
            if (flag) append_bytes(record, record_labels, size_t(4) * flag);
            append_bytes(record, payloads[n].data, payloads[n].size);
            if (checksums) crcs.push_back(crc32_of({record.data(), record.size()}));
            const size_t begin = out.size();
            frame_record({record.data(), record.size()}, out);
            sizes.push_back(out.size() - begin);
        }
    }
    py::list size_list(n_records);
    for (size_t n = 0; n < n_records; ++n) size_list[n] = py::int_(sizes[n]);
    const auto* crc_bytes = reinterpret_cast<const uint8_t*>(crcs.data());  // little-endian, as in the file
    return py::make_tuple(bytes_of(out.data(), out.size()), size_list, bytes_of(crc_bytes, crcs.size() * 4));
}

}  // namespace

void bind_packing(py::module_& module) {
    py::class_<Transcoder>(module, "Transcoder")
        .def(py::init(&make_transcoder), py::kw_only(), py::arg("channels"), py::arg("crop"), py::arg("filter"),
             py::arg("side"), py::arg("encoding"), py::arg("quality"), py::arg("planes") = false)
        .def("__call__", &Transcoder::operator(), py::arg("contents"), py::arg("budget") = py::none(),
             py::arg("max_bytes") = UINT64_MAX, py::arg("stopped") = py::none());
    module.def("frame_records", &frame_records, py::arg("keys"), py::arg("labels"), py::arg("bounds"),
               py::arg("payloads"), py::kw_only(), py::arg("first_label"), py::arg("checksums"));
}

}  // namespace recordkit
