// Reading records, indexes and files.
#include "module.hpp"

#include <memory>

#include "headers.hpp"
#include "read_many.hpp"
#include "records.hpp"

namespace recordkit {
namespace {

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
        raise("TruncatedError", at_path(path_), field("offset", whole), field("expected", "a record head"),
              field("got", "the end of the file at byte " + std::to_string(file.size())),
              field("advice", text_of(verify_advice(path_))));
    }

  public:
    explicit RecordFile(const py::object& path) : path_(path_of(path)) {
        file_ = reading(path_, [&] { return std::make_shared<const MappedFile>(path_); });
    }

    size_t size() const { return open().size(); }
    std::shared_ptr<const MappedFile> file() const {
        open();
        return file_;
    }
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
        const std::shared_ptr<const MappedFile> own = file_;  // finding the number's value may run what calls close
        return guarded([&](const MappedFile& file) {
            const uint64_t offset = place_of(number, file);
            const Span bytes = file.bytes();
            const Extent extent = find_record(bytes, offset);
            const auto length = static_cast<py::ssize_t>(extent.length);
            py::array_t<uint8_t> array;
            if (extent.whole) {
                auto* const share = new std::shared_ptr<const MappedFile>(own);
                const py::capsule base(share,
                                       [](void* it) { delete static_cast<std::shared_ptr<const MappedFile>*>(it); });
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
                offsets = recordkit::scan(file.bytes(), begin, hear_signals);
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

    // Keys, labels end to end, and where those of each record begin.
    py::tuple headers(const Column<uint64_t>& offsets) const {
        return guarded([&](const MappedFile& file) {
            Headers found;
            {
                const py::gil_scoped_release without_gil;
                found = read_headers(file, offsets.data(), static_cast<size_t>(offsets.size()), hear_signals);
            }
            return py::make_tuple(column_of(std::move(found.keys)), column_of(std::move(found.labels)),
                                  column_of(std::move(found.bounds)));
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

// The bytes of some files; None for one that cannot be read so, which the caller finds words for. Only one is open at a
// time, however many threads there are.
py::list read_files(const py::list& paths, uint64_t most_bytes) {
    struct File {
        std::string path;
        uint64_t size = 0;
        char* room = nullptr;
        bool good = false;
    };
    std::vector<File> files(paths.size());
    for (size_t n = 0; n < files.size(); ++n) {
        const Span path = span_of(py::bytes(paths[n]));
        files[n].path.assign(reinterpret_cast<const char*>(path.data), path.size);
    }
    {
        const py::gil_scoped_release without_gil;
        for (File& file : files) file.good = file_size(file.path, &file.size) && file.size <= most_bytes;
    }
    py::list contents(files.size());
    for (size_t n = 0; n < files.size(); ++n) {
        contents[n] = py::none();
        if (!files[n].good) continue;
        auto bytes = py::reinterpret_steal<py::bytes>(
            PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(files[n].size)));
        if (!bytes) throw py::error_already_set();
        files[n].room = PyBytes_AS_STRING(bytes.ptr());  // nobody else has the object yet
        contents[n] = std::move(bytes);
    }
    {
        const py::gil_scoped_release without_gil;
        for (File& file : files) file.good = file.good && read_file(file.path, file.size, file.room);
    }
    for (size_t n = 0; n < files.size(); ++n)
        if (!files[n].good) contents[n] = py::none();
    return contents;
}

}  // namespace

std::shared_ptr<const MappedFile> mapped_file_of(py::handle record_file) {
    return record_file.cast<const RecordFile&>().file();
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
        .def("headers", &RecordFile::headers, py::arg("offsets"))
        .def("advise", &RecordFile::advise, py::arg("offsets"), py::arg("record_bytes"));
    module.def("read_files", &read_files, py::arg("paths"), py::arg("most_bytes"));
    module.def("read_idx", &read_idx, py::arg("path"), py::arg("n_threads"));
}

}  // namespace recordkit
