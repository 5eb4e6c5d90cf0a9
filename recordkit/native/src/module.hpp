// What the files that know Python share: these are called module*.cpp, all others are plain C++. Buffers are looked at
// once, here; behind this line there are Spans and ImageViews of memory that the Python objects of the call keep alive
// until it returns. The GIL is released for all that takes long.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "file.hpp"
#include "idx.hpp"

namespace recordkit {

namespace py = pybind11;

// Each adds its part to the module.
void bind_packing(py::module_& module);
void bind_reading(py::module_& module);
void bind_loading(py::module_& module);

// The file of a RecordFile object. Throws what that does once it is closed.
std::shared_ptr<const MappedFile> mapped_file_of(py::handle record_file);

inline Span span_of(const py::bytes& bytes) {
    char* data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size)) throw py::error_already_set();
    return {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)};
}

inline py::str text_of(const std::string& path) {  // as os.fsdecode does
    return py::reinterpret_steal<py::str>(
        PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

inline std::string path_of(const py::object& path) {  // as os.fsencode does
    PyObject* bytes;
    if (!PyUnicode_FSConverter(path.ptr(), &bytes)) throw py::error_already_set();
    return py::reinterpret_steal<py::bytes>(bytes);
}

// Raises one of recordkit.errors with these fields.
template <typename... Fields>
[[noreturn]] void raise(const char* name, Fields&&... fields) {
    const py::object type = py::module_::import("recordkit.errors").attr(name);
    PyErr_SetObject(type.ptr(), type(std::forward<Fields>(fields)...).ptr());
    throw py::error_already_set();
}

inline py::arg_v at_path(const std::string& path) { return py::arg("path") = text_of(path); }
template <typename T>
py::arg_v field(const char* name, T&& value) {
    return py::arg(name) = std::forward<T>(value);
}

inline std::string verify_advice(const std::string& path) { return "run 'recordkit verify " + path + "'"; }

// Does something with a file; its faults become Python's errors.
template <typename Act>
auto reading(const std::string& path, Act&& act) {
    try {
        return act();
    } catch (const FormatFault& fault) {
        const std::string advice = fault.advice.empty() ? verify_advice(path) : fault.advice;
        raise(fault.truncated ? "TruncatedError" : "FormatError", at_path(path), field("offset", fault.offset),
              field("expected", fault.expected), field("got", fault.got), field("advice", text_of(advice)));
    } catch (const LineFault& fault) {
        const auto text = py::reinterpret_steal<py::object>(
            PyUnicode_DecodeUTF8(fault.shown.data(), static_cast<Py_ssize_t>(fault.shown.size()), "backslashreplace"));
        raise("FormatError", at_path(path), field("line", fault.line),
              field("expected", "KEY and OFFSET, whole numbers with a tab between"), field("got", py::repr(text)));
    } catch (const NoFile& fault) {
        raise("FormatError", at_path(path), field("expected", "a file"), field("got", fault.what()));
    } catch (const SystemFault& fault) {
        errno = fault.code;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, text_of(path).ptr());
        throw py::error_already_set();
    }
}

// Let Python deal with a signal, such as Ctrl-C, in the middle of long work. Throws what its handler raises.
inline void hear_signals() {
    const py::gil_scoped_acquire with_gil;
    if (PyErr_CheckSignals()) throw py::error_already_set();
}

// Copying more than this takes so long that other threads should not wait for it.
constexpr size_t kLongCopyBytes = 1 << 16;

inline py::bytes bytes_of(const uint8_t* data, size_t size) {
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

template <typename T>
using Column = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <typename T>
py::array_t<T> column_of(std::vector<T>&& values) {  // the array owns what was the vector's
    auto* const owner = new std::vector<T>(std::move(values));
    const py::capsule base(owner, [](void* it) { delete static_cast<std::vector<T>*>(it); });
    return py::array_t<T>(static_cast<py::ssize_t>(owner->size()), owner->data(), base);
}

}  // namespace recordkit
