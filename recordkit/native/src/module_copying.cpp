// Python bindings for copying records into new files; recordkit.dataset.copied_records calls them.
#include "module.hpp"

#include <pybind11/stl.h>

#include <memory>
#include <mutex>
#include <optional>

#include "copy_records.hpp"

namespace recordkit {
namespace {

// Memory of arrays that were dropped, for the next ones. An edit makes and drops an array for each block, and the system
// takes longer to give a process new memory for a block than to copy the block into it.
class SpareMemory {
  public:
    static SpareMemory& of_process() {
        static auto* const spares = new SpareMemory;  // never deleted, because arrays may outlive this module
        return *spares;
    }

    Scratch take() {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (spares_.empty()) return {};
        Scratch spare = std::move(spares_.back());
        spares_.pop_back();
        return spare;
    }

    void keep(Scratch&& spare) {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (spare.capacity() <= kMaxBytes && spares_.size() < kMaxSpares) spares_.push_back(std::move(spare));
    }

  private:
    static constexpr size_t kMaxSpares = 8, kMaxBytes = size_t(1) << 24;

    SpareMemory() { spares_.reserve(kMaxSpares); }

    std::mutex mutex_;
    std::vector<Scratch> spares_;
};

// Move scratch memory into an array, which then owns it, and leaves it as spare memory when it is dropped.
py::array_t<uint8_t> array_of(Scratch&& scratch) {
    auto* const owner = new Scratch(std::move(scratch));  // owned by `base`, which the array keeps
    const py::capsule base(owner, [](void* pointer) {
        const std::unique_ptr<Scratch> dropped(static_cast<Scratch*>(pointer));
        SpareMemory::of_process().keep(std::move(*dropped));
    });
    return py::array_t<uint8_t>(static_cast<py::ssize_t>(owner->size()), owner->data(), base);
}

template <typename T>
void check_length(const Column<T>& column, size_t n, const char* name) {
    if (column.size() != static_cast<py::ssize_t>(n))
        throw py::value_error(std::string("expected as many ") + name + " as records");
}

void check_bounds(const Column<uint64_t>& bounds, size_t n_labels) {
    const uint64_t* const bound = bounds.data();
    for (py::ssize_t n = 0; n + 1 < bounds.size(); ++n)
        if (bound[n] >= bound[n + 1] || bound[n + 1] > n_labels || bound[n + 1] - bound[n] > kMaxLabels)
            throw py::value_error("expected increasing bounds, up to the number of labels");
}

// The copied frames, concatenated, and of each record the size of its frame, its CRC-32 and its number of labels.
py::tuple copy_records_of(const py::list& record_files, const Column<int64_t>& file_numbers,
                          const Column<uint64_t>& offsets, const Column<uint64_t>& ends,
                          const Column<int64_t>& checksums, const std::optional<Column<uint64_t>>& keys,
                          const std::optional<Column<float>>& labels, const std::optional<Column<uint64_t>>& bounds) {
    CopyRequest request;
    request.n = static_cast<size_t>(file_numbers.size());
    check_length(offsets, request.n, "offsets");
    check_length(ends, request.n, "ends");
    check_length(checksums, request.n, "checksums");
    std::vector<std::shared_ptr<const File>> files;  // they stay open if another thread calls close
    for (const auto& record_file : record_files) files.push_back(file_of(record_file));
    for (const auto& file : files) request.files.push_back(file.get());
    request.file_numbers = file_numbers.data();
    for (size_t n = 0; n < request.n; ++n)
        if (request.file_numbers[n] < 0 || static_cast<size_t>(request.file_numbers[n]) >= files.size())
            throw py::value_error("expected numbers of files");
    request.offsets = offsets.data();
    request.ends = ends.data();
    request.checksums = checksums.data();
    if (keys) {
        check_length(*keys, request.n, "keys");
        request.new_keys = keys->data();
    }
    if (labels && bounds) {
        check_length(*bounds, request.n + 1, "bounds, and one more,");
        check_bounds(*bounds, static_cast<size_t>(labels->size()));
        request.new_labels = labels->data();
        request.new_bounds = bounds->data();
    }
    size_t row = 0;
    Scratch spare = SpareMemory::of_process().take();
    CopiedRecords copied;
    const auto copy = [&] {
        const py::gil_scoped_release without_gil;
        copied = copy_records(request, &row, std::move(spare));
    };
    try {
        copy();
    } catch (const std::runtime_error&) {
        const auto file = record_files[static_cast<size_t>(request.file_numbers[row])];
        with_file_errors(path_of_file(file), [] { throw; });
    }
    return py::make_tuple(array_of(std::move(copied.frames)), column_of(std::move(copied.sizes)),
                          column_of(std::move(copied.checksums)), column_of(std::move(copied.widths)));
}

// Lines of an .idx file.
py::bytes idx_lines(const Column<uint64_t>& keys, const Column<uint64_t>& offsets) {
    const auto n = static_cast<size_t>(keys.size());
    check_length(offsets, n, "offsets");
    std::vector<uint8_t> lines;
    {
        const py::gil_scoped_release without_gil;
        append_idx_lines(keys.data(), offsets.data(), n, lines);
    }
    return bytes_of(lines.data(), lines.size());
}

}  // namespace

void bind_copying(py::module_& module) {
    module.def("copy_records", &copy_records_of, py::arg("files"), py::arg("file_numbers"), py::arg("offsets"),
               py::arg("ends"), py::arg("checksums"), py::arg("keys"), py::arg("labels"), py::arg("bounds"));
    module.def("idx_lines", &idx_lines, py::arg("keys"), py::arg("offsets"));
}

}  // namespace recordkit
