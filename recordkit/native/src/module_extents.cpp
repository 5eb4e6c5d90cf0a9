// Python binding for the extents of an object; recordkit.storage.remote uses it.
#include "extents.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <optional>

#include "module.hpp"
#include "module_collecting.hpp"

namespace recordkit {
namespace {

// Extents whose bytes a Python function fetches. The GIL is needed to make and to destroy them.
class FetchedExtents : public Extents {
  public:
    FetchedExtents(uint64_t size, py::function fetch) : Extents(size), fetch_(std::move(fetch)) {}

    void add(uint64_t begin, uint64_t end, const py::object& path_object, uint64_t offset) {
        const std::string path = path_of(path_object);
        with_file_errors(path, [&] {
            const py::gil_scoped_release without_gil;
            add_file({begin, end}, path, offset);
        });
    }

    void copy(uint64_t begin, const py::bytes& data) {
        const Span bytes = span_of(data);
        const py::gil_scoped_release without_gil;
        add_bytes(begin, bytes);
    }

    void drop(uint64_t begin, uint64_t end) {
        const py::gil_scoped_release without_gil;
        remove({begin, end});
    }

    py::list missing_of(const Column<uint64_t>& begins, const Column<uint64_t>& ends) const {
        if (begins.size() != ends.size()) throw py::value_error("expected as many ends as begins");
        std::vector<ByteRange> ranges;
        ranges.reserve(static_cast<size_t>(begins.size()));
        for (py::ssize_t n = 0; n < begins.size(); ++n) ranges.emplace_back(begins.data()[n], ends.data()[n]);
        {
            const py::gil_scoped_release without_gil;
            ranges = missing(std::move(ranges));
        }
        py::list result;
        for (const auto& [begin, end] : ranges) result.append(py::make_tuple(begin, end));
        return result;
    }

    py::bytes read_bytes(size_t size, uint64_t offset, const std::optional<size_t>& at_least) {
        size = static_cast<size_t>(std::min<uint64_t>(size, offset < this->size() ? this->size() - offset : 0));
        uint8_t* contents = nullptr;
        py::bytes bytes = new_bytes(size, contents);
        const size_t n_read = with_file_errors("", [&] {
            const py::gil_scoped_release without_gil;
            return read(offset, {contents, size}, at_least.value_or(size));
        });
        return n_read == size ? bytes : bytes_of(contents, n_read);
    }

    std::vector<py::object*> references() { return {&fetch_}; }

  protected:
    // An exception of the function passes through the core as it is.
    void fetch(ByteRange range) override {
        const py::gil_scoped_acquire with_gil;
        const py::object function = fetch_;
        if (function.is_none()) {  // dropped as part of a cycle
            PyErr_SetString(PyExc_ValueError, "I/O operation on closed extents");
            throw py::error_already_set();
        }
        function(range.first, range.second);
    }

  private:
    py::object fetch_;
};

}  // namespace

std::shared_ptr<Extents> extents_of(py::handle extents) { return extents.cast<std::shared_ptr<FetchedExtents>>(); }

void bind_extents(py::module_& module) {
    py::class_<FetchedExtents, std::shared_ptr<FetchedExtents>>(module, "Extents", collectable<FetchedExtents>())
        .def(py::init<uint64_t, py::function>(), py::arg("size"), py::arg("fetch"))
        .def_property_readonly("size", &FetchedExtents::size)
        .def_property_readonly("n_bytes_in_memory", &FetchedExtents::bytes_in_memory)
        .def("add_file", &FetchedExtents::add, py::arg("begin"), py::arg("end"), py::arg("path"), py::arg("offset") = 0)
        .def("add_bytes", &FetchedExtents::copy, py::arg("begin"), py::arg("data"))
        .def("remove", &FetchedExtents::drop, py::arg("begin"), py::arg("end"))
        .def("missing", &FetchedExtents::missing_of, py::arg("begins"), py::arg("ends"))
        .def("read", &FetchedExtents::read_bytes, py::arg("size"), py::arg("offset"), py::arg("at_least") = py::none());
}

}  // namespace recordkit
