// Python bindings for reading records, .idx files and image files.
#include "module.hpp"

#include <memory>

#include "digests.hpp"
#include "headers.hpp"
#include "heads.hpp"
#include "module_collecting.hpp"
#include "read_many.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

// Limits of one read_ahead.
constexpr size_t kMaxAheadRecords = 64, kMaxAheadBytes = 1 << 18;
// Bytes between two hints of read_ahead to the system that the next bytes will be read.
constexpr uint64_t kHintBytes = 1 << 20;
// Bytes that read_ahead reads at first.
constexpr size_t kAheadBlockBytes = size_t(1) << 16;

// The bytes of a long record in one part.
py::bytes read_bytes(const File& file, const Extent& extent) {
    const auto size = static_cast<size_t>(extent.length);
    auto bytes = py::reinterpret_steal<py::bytes>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
    if (!bytes) throw py::error_already_set();
    // Owned by `bytes`, which no other thread knows yet.
    auto* const contents = reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(bytes.ptr()));
    const py::gil_scoped_release without_gil;
    if (file.read(extent.offset + kHeadSize, {contents, size}) < size) throw file.shrunk(extent.offset);
    return bytes;
}

// The records of one file.
class RecordFile {
    const File& open() const {
        if (!file_) throw py::value_error("I/O operation on closed file");
        return *file_;
    }

    template <typename Act>
    auto with_file(Act&& act) const {
        const std::shared_ptr<const File> shared_file = file_;  // stays open if another thread calls close
        open();
        return with_file_errors(path_, [&] { return act(*shared_file); });
    }

    // Convert an offset; raise the reference engine's error for one that does not fit 64 bits.
    uint64_t offset_of(const py::object& number, const File& file) const {
        const auto whole = py::reinterpret_steal<py::object>(PyNumber_Index(number.ptr()));
        if (!whole) throw py::error_already_set();
        const uint64_t offset = PyLong_AsUnsignedLongLong(whole.ptr());
        if (offset != UINT64_MAX || !PyErr_Occurred()) return offset;
        PyErr_Clear();
        raise("TruncatedError", path_field(path_), field("offset", whole), field("expected", "a record head"),
              field("got", "the end of the file at byte " + std::to_string(file.size())),
              field("advice", verify_advice(path_)));
    }

  public:
    // If `extents` are not None, `path` is only their name for errors. `on_close` is None or called by close.
    RecordFile(const py::object& path, py::object extents, py::object on_close)
        : path_(path_of(path)), extents_(std::move(extents)), on_close_(std::move(on_close)) {
        if (extents_.is_none()) file_ = with_file_errors(path_, [&] { return std::make_shared<const File>(path_); });
        else file_ = std::make_shared<const File>(extents_of(extents_));
    }

    size_t size() const { return open().size(); }
    std::shared_ptr<const File> file() const {
        open();
        return file_;
    }
    const std::string& path() const { return path_; }
    void close() {
        file_.reset();
        const py::object extents = std::exchange(extents_, py::none()), on_close = std::exchange(on_close_, py::none());
        if (!on_close.is_none()) on_close();
    }
    // For Python's collector: extents refer to the objects that fetch, and these may refer to this object.
    std::vector<py::object*> references() { return {&extents_, &on_close_}; }

    py::tuple read(const py::object& number) const {
        return with_file([&](const File& file) {
            ThreadScratch scratch;
            RecordReader reader(file, scratch);
            const Extent extent = reader.find(offset_of(number, file));
            if (extent.single_part && extent.length > RecordReader::kRandomBlockBytes)
                return py::make_tuple(read_bytes(file, extent), extent.end);
            const Record record = reader.read(extent.offset);
            return py::make_tuple(bytes_of(record.bytes.data, record.bytes.size), record.end);
        });
    }

    // A record, and its bytes in the file.
    py::tuple read_frame(const py::object& number) const {
        return with_file([&](const File& file) {
            const uint64_t offset = offset_of(number, file);
            ThreadScratch scratch;
            RecordReader reader(file, scratch);
            const Record record = reader.read(offset);
            Scratch frame(static_cast<size_t>(record.end - offset));
            if (file.read(offset, {frame.data(), frame.size()}) < frame.size()) throw file.shrunk(offset);
            return py::make_tuple(bytes_of(record.bytes.data, record.bytes.size), bytes_of(frame.data(), frame.size()));
        });
    }

    // The record at an offset and some that follow, each with the offset of the next one. The list ends before a bad
    // record; if the first is bad, its error is raised.
    py::list read_ahead(const py::object& number) const {
        return with_file([&](const File& file) {
            const uint64_t first = offset_of(number, file);
            uint64_t offset = first;
            py::list records;
            ThreadScratch scratch;
            RecordReader reader(file, scratch, kAheadBlockBytes);
            size_t n_bytes = 0;
            try {
                do {
                    const Record record = reader.read(offset);
                    records.append(py::make_tuple(bytes_of(record.bytes.data, record.bytes.size), record.end));
                    n_bytes += record.bytes.size;
                    offset = record.end;
                } while (records.size() < kMaxAheadRecords && n_bytes < kMaxAheadBytes && offset < file.size());
            } catch (const FormatFault&) {
                if (records.empty()) throw;
            }
            if (!first || first / kHintBytes != offset / kHintBytes) file.will_need(offset, offset + 2 * kHintBytes);
            return records;
        });
    }

    // The offsets of all records from `begin` on. `progress` is None or called with the bytes since the last call.
    py::array_t<uint64_t> scan(uint64_t begin, const py::object& progress) const {
        return with_file([&](const File& file) {
            std::vector<uint64_t> offsets;
            uint64_t told = begin;
            const auto reached = [&](uint64_t offset) {
                const py::gil_scoped_acquire with_gil;
                if (PyErr_CheckSignals()) throw py::error_already_set();
                if (!progress.is_none()) progress(offset - told);
                told = offset;
            };
            {
                const py::gil_scoped_release without_gil;
                offsets = recordkit::scan(file, begin, reached);
            }
            if (!progress.is_none() && told < file.size()) progress(file.size() - told);
            return column_of(std::move(offsets));
        });
    }

    py::tuple read_many(const Column<uint64_t>& offsets, unsigned n_threads) const {
        return with_file([&](const File& file) {
            py::array_t<uint8_t> buffer;
            std::vector<uint64_t> bounds;
            {
                const py::gil_scoped_release without_gil;
                bounds = recordkit::read_many(file, offsets.data(), static_cast<size_t>(offsets.size()), n_threads,
                                              [&](size_t size) {
                                                  const py::gil_scoped_acquire with_gil;
                                                  buffer = py::array_t<uint8_t>(static_cast<py::ssize_t>(size));
                                                  return buffer.mutable_data();
                                              });
            }
            return py::make_tuple(buffer, column_of(std::move(bounds)));
        });
    }

    // Keys, labels of all records concatenated, and the bounds of each record's labels.
    py::tuple headers(const Column<uint64_t>& offsets) const {
        return with_file([&](const File& file) {
            Headers result;
            {
                const py::gil_scoped_release without_gil;
                result = read_headers(file, offsets.data(), static_cast<size_t>(offsets.size()), check_signals);
            }
            return py::make_tuple(column_of(std::move(result.keys)), column_of(std::move(result.labels)),
                                  column_of(std::move(result.bounds)));
        });
    }

    py::array_t<uint64_t> payload_sizes(const Column<uint64_t>& offsets) const {
        return with_file([&](const File& file) {
            std::vector<uint64_t> sizes;
            {
                const py::gil_scoped_release without_gil;
                sizes = read_payload_sizes(file, offsets.data(), static_cast<size_t>(offsets.size()), check_signals);
            }
            return column_of(std::move(sizes));
        });
    }

    // Offsets and second words of everything that looks like a head.
    py::tuple heads(uint64_t begin, uint64_t end) const {
        return with_file([&](const File& file) {
            Heads result;
            {
                const py::gil_scoped_release without_gil;
                result = find_heads(file, begin, end);
            }
            return py::make_tuple(column_of(std::move(result.offsets)), column_of(std::move(result.words)));
        });
    }

    // Length and CRC-32 of each record, or of its payload.
    py::tuple digests(const Column<uint64_t>& offsets, bool payload) const {
        return with_file([&](const File& file) {
            py::array_t<uint64_t> lengths(offsets.size());
            py::array_t<uint32_t> checksums(offsets.size());
            uint64_t* const length_data = lengths.mutable_data();      // owned by `lengths`
            uint32_t* const checksum_data = checksums.mutable_data();  // owned by `checksums`
            {
                const py::gil_scoped_release without_gil;
                digest_records(file, offsets.data(), static_cast<size_t>(offsets.size()), payload, length_data,
                               checksum_data);
            }
            return py::make_tuple(lengths, checksums);
        });
    }

    // One number for each pair of records, of this file and of another: 1 if their payloads are equal.
    py::array_t<uint8_t> same_payloads(const Column<uint64_t>& offsets, const RecordFile& other,
                                       const Column<uint64_t>& other_offsets) const {
        if (offsets.size() != other_offsets.size()) throw py::value_error("expected as many offsets of both files");
        py::array_t<uint8_t> result(offsets.size());
        uint8_t* const out = result.mutable_data();  // owned by `result`
        bool in_other = false;
        const std::shared_ptr<const File> this_file = file(), other_file = other.file();
        try {
            const py::gil_scoped_release without_gil;
            compare_payloads(*this_file, offsets.data(), *other_file, other_offsets.data(),
                             static_cast<size_t>(offsets.size()), out, &in_other);
        } catch (const std::runtime_error&) {  // a fault of a file
            with_file_errors(in_other ? other.path_ : path_, [] { throw; });
        }
        return result;
    }

    void advise(const Column<uint64_t>& offsets, uint64_t record_bytes) const {
        with_file([&](const File& file) {
            const py::gil_scoped_release without_gil;
            recordkit::advise(file, offsets.data(), static_cast<size_t>(offsets.size()), record_bytes);
        });
    }

  private:
    std::string path_;
    std::shared_ptr<const File> file_;
    py::object extents_, on_close_;
};

// Keys and offsets of an .idx file; None in place of keys that are 0, 1, 2 ..., which need no memory.
py::tuple read_idx(const py::object& path_object, unsigned n_threads) {
    const std::string path = path_of(path_object);
    return with_file_errors(path, [&]() -> py::tuple {
        const IdxFile file = [&] {
            const py::gil_scoped_release without_gil;
            return IdxFile(path, n_threads);
        }();
        const auto n = static_cast<py::ssize_t>(file.size());
        py::array_t<uint64_t> offsets(n);
        const auto read = [&](uint64_t* keys) {
            uint64_t* const offset_data = offsets.mutable_data();  // owned by `offsets`
            const py::gil_scoped_release without_gil;
            return file.read({keys, offset_data});
        };
        if (read(nullptr)) return py::make_tuple(py::none(), offsets);
        py::array_t<uint64_t> keys(n);
        read(keys.mutable_data());
        return py::make_tuple(keys, offsets);
    });
}

// The bytes of the first files, as many as have at most `total_bytes` together; None for one that cannot be read or is
// longer than `max_bytes`, so that the caller raises the error. A call has only one file open at a time.
py::list read_files(const py::list& paths, uint64_t max_bytes, uint64_t total_bytes) {
    struct ImageFile {
        std::string path;
        uint64_t size = 0;
        uint8_t* contents = nullptr;  // of the bytes object in the result
        bool readable = false;
    };
    std::vector<ImageFile> files(paths.size());
    for (size_t n = 0; n < files.size(); ++n) {
        const Span path = span_of(py::bytes(paths[n]));
        files[n].path.assign(reinterpret_cast<const char*>(path.data), path.size);
    }
    {
        const py::gil_scoped_release without_gil;
        uint64_t total = 0;
        for (size_t n = 0; n < files.size(); ++n) {
            ImageFile& file = files[n];
            file.readable = file_size(file.path, &file.size) && file.size <= max_bytes;
            total += file.readable ? file.size : 0;
            if (total > total_bytes) files.resize(n);
        }
    }
    py::list contents(files.size());
    for (size_t n = 0; n < files.size(); ++n) {
        contents[n] = py::none();
        if (!files[n].readable) continue;
        contents[n] = new_bytes(files[n].size, files[n].contents);
    }
    {
        const py::gil_scoped_release without_gil;
        for (ImageFile& file : files) file.readable = file.readable && read_file(file.path, {file.contents, file.size});
    }
    for (size_t n = 0; n < files.size(); ++n)
        if (!files[n].readable) contents[n] = py::none();
    return contents;
}

}  // namespace

std::shared_ptr<const File> file_of(py::handle record_file) { return record_file.cast<const RecordFile&>().file(); }

std::string path_of_file(py::handle record_file) { return record_file.cast<const RecordFile&>().path(); }

void bind_reading(py::module_& module) {
    py::class_<RecordFile>(module, "RecordFile", collectable<RecordFile>())
        .def(py::init<const py::object&, py::object, py::object>(), py::arg("path"), py::arg("extents") = py::none(),
             py::arg("on_close") = py::none())
        .def_property_readonly("size", &RecordFile::size)
        .def("close", &RecordFile::close)
        .def("read", &RecordFile::read, py::arg("offset"))
        .def("read_ahead", &RecordFile::read_ahead, py::arg("offset"))
        .def("read_frame", &RecordFile::read_frame, py::arg("offset"))
        .def("scan", &RecordFile::scan, py::arg("begin") = 0, py::arg("progress") = py::none())
        .def("read_many", &RecordFile::read_many, py::arg("offsets"), py::arg("n_threads"))
        .def("headers", &RecordFile::headers, py::arg("offsets"))
        .def("payload_sizes", &RecordFile::payload_sizes, py::arg("offsets"))
        .def("heads", &RecordFile::heads, py::arg("begin"), py::arg("end"))
        .def("digests", &RecordFile::digests, py::arg("offsets"), py::kw_only(), py::arg("payload"))
        .def("same_payloads", &RecordFile::same_payloads, py::arg("offsets"), py::arg("other"),
             py::arg("other_offsets"))
        .def("advise", &RecordFile::advise, py::arg("offsets"), py::arg("record_bytes"));
    module.def("read_files", &read_files, py::arg("paths"), py::arg("max_bytes"), py::arg("total_bytes"));
    module.def("read_idx", &read_idx, py::arg("path"), py::arg("n_threads"));
}

}  // namespace recordkit
