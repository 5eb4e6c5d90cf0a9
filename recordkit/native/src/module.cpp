// The only file that knows Python. Buffers are looked at once, here; behind this line there are Spans and ImageViews of
// memory that the Python objects of the call keep alive until it returns. The GIL is released for all that takes long.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <jpeglib.h>
#include <libdeflate.h>

#include <string>
#include <vector>

#include "pack.hpp"
#include "records.hpp"
#include "resize.hpp"

namespace py = pybind11;

namespace recordkit {
namespace {

// Raised when what Python and C++ expect of each other changes; recordkit/native/__init__.py has the same number.
constexpr int kAbi = 1;

Span span_of(const py::bytes& bytes) {
    char* data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size)) throw py::error_already_set();
    return {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)};
}

py::bytes bytes_of(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// An encoded image or pixels, whichever the object is.
struct Content {
    Span payload;
    ImageView pixels;
    bool encoded = true;
};

using Pixels = py::array_t<uint8_t, py::array::c_style>;

Content content_of(py::handle object) {
    Content content;
    if (py::isinstance<py::bytes>(object)) {
        content.payload = span_of(py::reinterpret_borrow<py::bytes>(object));
        return content;
    }
    if (!py::isinstance<Pixels>(object)) throw py::type_error("expected bytes, or pixels as a contiguous uint8 array");
    const auto array = py::reinterpret_borrow<Pixels>(object);
    if (array.ndim() != 3) throw py::type_error("expected pixels of shape (H, W, C)");
    const auto channels = array.shape(2);
    if (channels != 1 && channels != 3 && channels != 4) throw py::type_error("expected 1, 3 or 4 channels");
    check_size(static_cast<uint64_t>(array.shape(0)), static_cast<uint64_t>(array.shape(1)));
    content.encoded = false;
    content.pixels = {array.data(), static_cast<uint32_t>(array.shape(1)), static_cast<uint32_t>(array.shape(0)),
                      static_cast<uint32_t>(channels), static_cast<size_t>(array.shape(1) * channels)};
    return content;
}

class Transcoder {
  public:
    explicit Transcoder(const Recipe& recipe) : recipe_(recipe) {}

    // Payloads for contents; None where the reference engine has to decide.
    py::list operator()(const py::list& objects) const {
        std::vector<Content> contents;
        contents.reserve(objects.size());
        for (const auto& object : objects) contents.push_back(content_of(object));
        std::vector<uint8_t> arena;
        std::vector<size_t> ends;
        std::vector<bool> done;
        {
            const py::gil_scoped_release without_gil;
            for (const Content& content : contents) {
                done.push_back(add(content, arena));
                ends.push_back(arena.size());
            }
        }
        py::list payloads(objects.size());
        for (size_t n = 0, begin = 0; n < ends.size(); begin = ends[n++])
            payloads[n] = done[n] ? py::object(bytes_of(arena.data() + begin, ends[n] - begin)) : py::none();
        return payloads;
    }

  private:
    bool add(const Content& content, std::vector<uint8_t>& arena) const {
        const size_t begin = arena.size();
        try {
            if (content.encoded) transcode(content.payload, recipe_, arena);
            else encode_pixels(content.pixels, recipe_, arena);
            return true;
        } catch (const Unsupported&) {
            arena.resize(begin);
            return false;
        }
    }

    Recipe recipe_;
};

Transcoder make_transcoder(int channels, bool crop, const std::string& filter, uint32_t side, const std::string& encoding,
                           int quality) {
    Recipe recipe;
    recipe.channels = channels;
    recipe.crop = crop;
    recipe.filter = filter == "antialias" ? Filter::antialias : filter == "bilinear" ? Filter::bilinear : Filter::none;
    recipe.side = side;
    recipe.encoding = encoding == "jpg" ? Encoding::jpg : encoding == "png" ? Encoding::png : Encoding::raw;
    recipe.quality = quality;
    return Transcoder(recipe);
}

template <typename T>
using Column = py::array_t<T, py::array::c_style | py::array::forcecast>;

void put(std::vector<uint8_t>& out, const void* value, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(value);
    out.insert(out.end(), bytes, bytes + size);  // this machine's order; setup.py builds for little-endian ones only
}

// Records with their headers and frames, end to end, and the size of each. Labels of record n are
// labels[bounds[n]] to labels[bounds[n + 1]].
py::tuple frame_records(const Column<uint64_t>& keys, const Column<float>& labels, const Column<uint64_t>& bounds,
                        const py::list& objects, bool first_label) {
    const size_t n_records = objects.size();
    if (keys.size() != static_cast<py::ssize_t>(n_records) || bounds.size() != static_cast<py::ssize_t>(n_records) + 1)
        throw py::value_error("expected a key and a bound for each payload");
    const uint64_t* bound = bounds.data();
    for (size_t n = 0; n < n_records; ++n)
        if (bound[n] >= bound[n + 1] || bound[n + 1] > static_cast<uint64_t>(labels.size()))
            throw py::value_error("expected bounds that rise, up to the number of labels");
    std::vector<Span> payloads;
    size_t total = 0;
    for (const auto& object : objects) {
        if (!py::isinstance<py::bytes>(object)) throw py::type_error("expected payloads as bytes");
        payloads.push_back(span_of(py::reinterpret_borrow<py::bytes>(object)));
        total += payloads.back().size + 64;
    }
    std::vector<uint8_t> out, record;
    std::vector<size_t> sizes;
    {
        const py::gil_scoped_release without_gil;
        out.reserve(total);
        for (size_t n = 0; n < n_records; ++n) {
            const float* own = labels.data() + bound[n];
            const auto n_labels = static_cast<uint32_t>(bound[n + 1] - bound[n]);
            const uint32_t flag = n_labels > 1 ? n_labels : 0;
            const float label = flag && !first_label ? 0.0f : own[0];
            const uint64_t header[2] = {keys.data()[n], 0};
            record.clear();
            put(record, &flag, 4);
            put(record, &label, 4);
            put(record, header, 16);
            if (flag) put(record, own, size_t(4) * flag);
            put(record, payloads[n].data, payloads[n].size);
            const size_t begin = out.size();
            frame_record({record.data(), record.size()}, out);
            sizes.push_back(out.size() - begin);
        }
    }
    py::list size_list(n_records);
    for (size_t n = 0; n < n_records; ++n) size_list[n] = py::int_(sizes[n]);
    return py::make_tuple(bytes_of(out.data(), out.size()), size_list);
}

void bind_packing(py::module_& module) {
    py::class_<Transcoder>(module, "Transcoder")
        .def(py::init(&make_transcoder), py::kw_only(), py::arg("channels"), py::arg("crop"), py::arg("filter"),
             py::arg("side"), py::arg("encoding"), py::arg("quality"))
        .def("__call__", &Transcoder::operator(), py::arg("contents"));
    module.def("frame_records", &frame_records, py::arg("keys"), py::arg("labels"), py::arg("bounds"),
               py::arg("payloads"), py::kw_only(), py::arg("first_label"));
}

py::dict build() {
    py::dict facts;
    facts["libjpeg-turbo"] = std::to_string(LIBJPEG_TURBO_VERSION_NUMBER / 1000000) + "." +
                             std::to_string(LIBJPEG_TURBO_VERSION_NUMBER / 1000 % 1000) + "." +
                             std::to_string(LIBJPEG_TURBO_VERSION_NUMBER % 1000);
    facts["libdeflate"] = LIBDEFLATE_VERSION_STRING;
    facts["compiler"] = __VERSION__;
    facts["resize"] = resize_path();
    return facts;
}

}  // namespace
}  // namespace recordkit

PYBIND11_MODULE(_core, module) {
    module.attr("ABI") = recordkit::kAbi;
    module.def("build", &recordkit::build);
    recordkit::bind_packing(module);
}
