// The only file that knows Python. Buffers are looked at once, here; behind this line there are Spans and ImageViews of
// memory that the Python objects of the call keep alive until it returns. The GIL is released for all that takes long.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <jpeglib.h>
#include <libdeflate.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "idx.hpp"
#include "pack.hpp"
#include "read_many.hpp"
#include "records.hpp"
#include "resize.hpp"

namespace py = pybind11;

namespace recordkit {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the reference engine alone knows other byte orders");

// Raised when what Python and C++ expect of each other changes; recordkit/native/__init__.py has the same number.
constexpr int kAbi = 1;

Span span_of(const py::bytes& bytes) {
    char* data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size)) throw py::error_already_set();
    return {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)};
}

py::str text_of(const std::string& path) {  // as os.fsdecode does
    return py::reinterpret_steal<py::str>(PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

std::string path_of(const py::object& path) {  // as os.fsencode does
    PyObject* bytes;
    if (!PyUnicode_FSConverter(path.ptr(), &bytes)) throw py::error_already_set();
    return py::reinterpret_steal<py::bytes>(bytes);
}

// One of recordkit.errors; `where` is its path and place, as far as there are any.
template <typename... Where>
[[noreturn]] void raise(const char* name, const py::object& message, Where&&... where) {
    const py::object type = py::module_::import("recordkit.errors").attr(name);
    PyErr_SetObject(type.ptr(), type(message, std::forward<Where>(where)...).ptr());
    throw py::error_already_set();
}

py::arg_v at_path(const std::string& path) { return py::arg("path") = text_of(path); }
py::arg_v at_place(const std::string& place) { return py::arg("place") = place; }

// Does something with a file; its faults become Python's errors.
template <typename Act>
auto reading(const std::string& path, Act&& act) {
    try {
        return act();
    } catch (const FormatFault& fault) {
        std::string message = fault.what();
        if (message.find("; ") == std::string::npos) message += "; run 'recordkit verify " + path + "'";
        raise(fault.truncated ? "TruncatedError" : "FormatError", text_of(message), at_path(path),
              at_place("byte " + std::to_string(fault.offset)));
    } catch (const LineFault& fault) {
        const auto text = py::reinterpret_steal<py::object>(
            PyUnicode_DecodeUTF8(fault.shown.data(), static_cast<Py_ssize_t>(fault.shown.size()), "backslashreplace"));
        const py::str expected("expected KEY and OFFSET, whole numbers with a tab between, got ");
        raise("FormatError", expected + py::repr(text), at_path(path), at_place("line " + std::to_string(fault.line)));
    } catch (const NoFile& fault) {
        raise("FormatError", py::str(fault.what()), at_path(path));
    } catch (const SystemFault& fault) {
        errno = fault.code;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, text_of(path).ptr());
        throw py::error_already_set();
    }
}

// Copying more than this takes so long that other threads should not wait for it.
constexpr size_t kLongCopyBytes = 1 << 16;

py::bytes bytes_of(const uint8_t* data, size_t size) {
    if (size < kLongCopyBytes) return {reinterpret_cast<const char*>(data), size};
    auto bytes = py::reinterpret_steal<py::bytes>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
    if (!bytes) throw py::error_already_set();
    char* const room = PyBytes_AS_STRING(bytes.ptr());  // nobody else has the object yet
    {
        const py::gil_scoped_release without_gil;
        std::memcpy(room, data, size);
    }
    return bytes;
}

// An encoded image or pixels, whichever the object is; neither where it is something that the core does not take.
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
    if (!py::isinstance<Pixels>(object)) return content;  // of another type, or not contiguous
    const auto array = py::reinterpret_borrow<Pixels>(object);
    if (array.ndim() != 3) return content;
    const auto channels = array.shape(2);
    if (channels != 1 && channels != 3 && channels != 4) return content;
    if (static_cast<uint64_t>(array.shape(0)) * static_cast<uint64_t>(array.shape(1)) > kMaxPixels || !array.size()) return content;
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
            if (content.pixels.data) encode_pixels(content.pixels, recipe_, arena);
            else transcode(content.payload, recipe_, arena);
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

constexpr uint64_t kHeaderSize = 24;  // recordkit/formats/irheader.py

// A longer record's length would run into its head's flags.
void check_length(uint64_t record) {
    if (record > kMaxRecordBytes)
        raise("FormatError", py::str("expected a record shorter than 2**29 bytes, got " + std::to_string(record) + " bytes"));
}

template <typename T>
using Column = py::array_t<T, py::array::c_style | py::array::forcecast>;

void put(std::vector<uint8_t>& out, const void* value, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(value);
    out.insert(out.end(), bytes, bytes + size);  // this machine's order, which is the file's
}

// Records with their headers and frames, end to end, and the size of each. Labels of record n are
// labels[bounds[n]] to labels[bounds[n + 1]].
// Throws what recordkit.formats.frame.pack throws.
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
        const size_t n = payloads.size();
        payloads.push_back(span_of(py::reinterpret_borrow<py::bytes>(object)));
        const uint64_t n_labels = bound[n + 1] - bound[n];
        check_length(kHeaderSize + (n_labels > 1 ? 4 * n_labels : 0) + payloads.back().size);
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

template <typename T>
py::array_t<T> column_of(std::vector<T>&& values) {  // the array owns what was the vector's
    auto* const owner = new std::vector<T>(std::move(values));
    const py::capsule base(owner, [](void* it) { delete static_cast<std::vector<T>*>(it); });
    return py::array_t<T>(static_cast<py::ssize_t>(owner->size()), owner->data(), base);
}

// While one of these lives, the file is read in order.
struct InOrder {
    const MappedFile& file;
    explicit InOrder(const MappedFile& which) : file(which) { file.expect_order(true); }
    ~InOrder() { file.expect_order(false); }
};

py::bytes copy_of(Span file, const Extent& extent) {
    if (extent.whole) return bytes_of(file.data + extent.offset + kHeadSize, extent.length);
    std::vector<uint8_t> record(extent.length);
    copy_record(file, extent, record.data());
    return bytes_of(record.data(), record.size());
}

// What a reader in order takes along at once.
constexpr size_t kMostAhead = 64, kMostAheadBytes = 1 << 18;
// How often it tells the system that it will go on.
constexpr uint64_t kHintBytes = 1 << 20;

// The records of one file. Views of it hold the mapping, so `close` only lets go of this object's share.
class RecordFile {
    const MappedFile& open() const {
        if (!file_) throw py::value_error("I/O operation on closed file");
        return *file_;
    }

    template <typename Act>
    auto guarded(Act&& act) const {
        const std::shared_ptr<const MappedFile> own = file_;  // stays, whoever calls close meanwhile
        open();
        return reading(path_, [&] { return act(*own); });
    }

    // An offset, or the definition's error for what no file reaches.
    uint64_t place_of(const py::object& number, const MappedFile& file) const {
        const auto whole = py::reinterpret_steal<py::object>(PyNumber_Index(number.ptr()));
        if (!whole) throw py::error_already_set();
        const uint64_t place = PyLong_AsUnsignedLongLong(whole.ptr());
        if (place != UINT64_MAX || !PyErr_Occurred()) return place;
        PyErr_Clear();
        const std::string size = std::to_string(file.size());
        raise("TruncatedError",
              py::str("expected a record head, got the end of the file at byte " + size + "; run 'recordkit verify ") +
                  text_of(path_) + py::str("'"),
              at_path(path_), at_place("byte " + std::string(py::str(whole))));
    }

  public:
    explicit RecordFile(const py::object& path) : path_(path_of(path)) {
        file_ = reading(path_, [&] { return std::make_shared<const MappedFile>(path_); });
    }

    size_t size() const { return open().size(); }
    void close() { file_.reset(); }

    py::tuple read(const py::object& number) const {
        return guarded([&](const MappedFile& file) {
            const uint64_t offset = place_of(number, file);
            const Span bytes = file.bytes();
            const Extent extent = find_record(bytes, offset);
            if (extent.length > kLongRecordBytes) file.will_need(offset, extent.end);
            return py::make_tuple(copy_of(bytes, extent), extent.end);
        });
    }

    // The record at an offset and some behind it, each with the offset behind it. Where one is at fault, those before.
    py::list read_ahead(const py::object& number) const {
        return guarded([&](const MappedFile& file) {
            const uint64_t first = place_of(number, file);
            uint64_t offset = first;
            const Span bytes = file.bytes();
            py::list records;
            size_t n_bytes = 0;
            try {
                do {
                    const Extent extent = find_record(bytes, offset);
                    records.append(py::make_tuple(copy_of(bytes, extent), extent.end));
                    n_bytes += extent.length;
                    offset = extent.end;
                } while (records.size() < kMostAhead && n_bytes < kMostAheadBytes && offset < bytes.size);
            } catch (const FormatFault&) {
                if (records.empty()) throw;
            }
            if (!first || first / kHintBytes != offset / kHintBytes) file.will_need(offset, offset + 2 * kHintBytes);
            return records;
        });
    }

    // A record without copying it, where the file has it in one piece.
    py::array_t<uint8_t> view(const py::object& number) const {
        return guarded([&](const MappedFile& file) {
            const uint64_t offset = place_of(number, file);
            const Span bytes = file.bytes();
            const Extent extent = find_record(bytes, offset);
            const auto length = static_cast<py::ssize_t>(extent.length);
            py::array_t<uint8_t> array;
            if (extent.whole) {
                auto* const share = new std::shared_ptr<const MappedFile>(file_);
                const py::capsule base(share, [](void* it) { delete static_cast<std::shared_ptr<const MappedFile>*>(it); });
                array = py::array_t<uint8_t>(length, bytes.data + offset + kHeadSize, base);
            } else {
                array = py::array_t<uint8_t>(length);
                copy_record(bytes, extent, array.mutable_data());
            }
            array.attr("setflags")(py::arg("write") = false);
            return array;
        });
    }

    py::array_t<uint64_t> scan(uint64_t begin) const {
        return guarded([&](const MappedFile& file) {
            std::vector<uint64_t> offsets;
            {
                const py::gil_scoped_release without_gil;
                const InOrder in_order(file);
                offsets = recordkit::scan(file.bytes(), begin);
            }
            return column_of(std::move(offsets));
        });
    }

    uint64_t next_head(uint64_t offset) const {
        return guarded([&](const MappedFile& file) {
            const py::gil_scoped_release without_gil;
            const InOrder in_order(file);
            return recordkit::next_head(file.bytes(), offset);
        });
    }

    py::tuple read_many(const Column<uint64_t>& offsets, unsigned n_threads) const {
        return guarded([&](const MappedFile& file) {
            py::array_t<uint8_t> buffer;
            Batch batch;
            {
                const py::gil_scoped_release without_gil;
                batch = recordkit::read_many(file, offsets.data(), static_cast<size_t>(offsets.size()), n_threads,
                                             [&](size_t size) {
                                                 const py::gil_scoped_acquire with_gil;
                                                 buffer = py::array_t<uint8_t>(static_cast<py::ssize_t>(size));
                                                 return buffer.mutable_data();
                                             });
            }
            return py::make_tuple(buffer, column_of(std::move(batch.bounds)));
        });
    }

    void advise(const Column<uint64_t>& offsets, uint64_t record_bytes) const {
        guarded([&](const MappedFile& file) {
            const py::gil_scoped_release without_gil;
            recordkit::advise(file, offsets.data(), static_cast<size_t>(offsets.size()), record_bytes);
        });
    }

  private:
    std::string path_;
    std::shared_ptr<const MappedFile> file_;
};

// Keys and offsets of an .idx file; None for keys that are 0, 1, 2 ... which need no memory.
py::tuple read_idx(const py::object& path_object, unsigned n_threads) {
    const std::string path = path_of(path_object);
    return reading(path, [&]() -> py::tuple {
        const IdxFile file = [&] {
            const py::gil_scoped_release without_gil;
            return IdxFile(path, n_threads);
        }();
        const auto n = static_cast<py::ssize_t>(file.size());
        py::array_t<uint64_t> offsets(n);
        const auto read = [&](uint64_t* keys) {
            uint64_t* const own = offsets.mutable_data();
            const py::gil_scoped_release without_gil;
            return file.read({keys, own});
        };
        if (read(nullptr)) return py::make_tuple(py::none(), offsets);
        py::array_t<uint64_t> keys(n);
        read(keys.mutable_data());
        return py::make_tuple(keys, offsets);
    });
}

void bind_reading(py::module_& module) {
    py::class_<RecordFile>(module, "RecordFile")
        .def(py::init<const py::object&>(), py::arg("path"))
        .def_property_readonly("size", &RecordFile::size)
        .def("close", &RecordFile::close)
        .def("read", &RecordFile::read, py::arg("offset"))
        .def("read_ahead", &RecordFile::read_ahead, py::arg("offset"))
        .def("view", &RecordFile::view, py::arg("offset"))
        .def("scan", &RecordFile::scan, py::arg("begin") = 0)
        .def("next_head", &RecordFile::next_head, py::arg("offset"))
        .def("read_many", &RecordFile::read_many, py::arg("offsets"), py::arg("n_threads"))
        .def("advise", &RecordFile::advise, py::arg("offsets"), py::arg("record_bytes"));
    module.def("read_idx", &read_idx, py::arg("path"), py::arg("n_threads"));
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
    recordkit::bind_reading(module);
}
