// Shared by the Python bindings, module*.cpp; all other files are plain C++ without Python. The bindings turn buffers
// of Python objects into Spans and ImageViews, which stay valid until the call returns, because the caller keeps the
// objects. They release the GIL during long work.
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

// Each of these adds its functions and classes to the module.
void bind_packing(py::module_& module);
void bind_extents(py::module_& module);
void bind_reading(py::module_& module);
void bind_copying(py::module_& module);
void bind_loading(py::module_& module);
void bind_measuring(py::module_& module);
void bind_checking(py::module_& module);

// The file of a RecordFile object. Throws ValueError if it is closed.
std::shared_ptr<const File> file_of(py::handle record_file);
std::string path_of_file(py::handle record_file);

// The extents of an Extents object. Throws TypeError if it is another object.
std::shared_ptr<Extents> extents_of(py::handle extents);

inline Span span_of(const py::bytes& bytes) {
    char* data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes.ptr(), &data, &size)) throw py::error_already_set();
    return {reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size)};
}

inline py::str text_of(const std::string& path) {  // like os.fsdecode
    return py::reinterpret_steal<py::str>(
        PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

inline std::string path_of(const py::object& path) {  // like os.fsencode
    PyObject* bytes;
    if (!PyUnicode_FSConverter(path.ptr(), static_cast<void*>(&bytes))) throw py::error_already_set();
    return py::reinterpret_steal<py::bytes>(bytes);
}

// Raise a class of recordkit.errors with these fields.
template <typename... Fields>
[[noreturn]] void raise(const char* name, Fields&&... fields) {
    const py::object type = py::module_::import("recordkit.errors").attr(name);
    PyErr_SetObject(type.ptr(), type(std::forward<Fields>(fields)...).ptr());
    throw py::error_already_set();
}

inline py::arg_v path_field(const std::string& path) { return py::arg("path") = text_of(path); }
template <typename T>
py::arg_v field(const char* name, T&& value) {
    return py::arg(name) = std::forward<T>(value);
}

inline py::object verify_advice(const std::string& path) {
    return py::module_::import("recordkit.formats.frame").attr("verify_advice")(text_of(path));
}

// Call act() and turn faults of the file at `path` into Python exceptions.
template <typename Act>
auto with_file_errors(const std::string& path, Act&& act) {
    try {
        return act();
    } catch (const FormatFault& fault) {
        const py::object advice = fault.advice.empty() ? verify_advice(path) : text_of(fault.advice);
        raise(fault.truncated ? "TruncatedError" : "FormatError", path_field(path), field("offset", fault.offset),
              field("expected", fault.expected), field("got", fault.got), field("advice", advice));
    } catch (const IdxLineFault& fault) {
        const auto text = py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(
            fault.excerpt.data(), static_cast<Py_ssize_t>(fault.excerpt.size()), "backslashreplace"));
        raise("FormatError", path_field(path), field("line", fault.line),
              field("expected", "KEY and OFFSET, whole numbers with a tab between"), field("got", py::repr(text)));
    } catch (const NotRegularFile& fault) {
        raise("FormatError", path_field(path), field("expected", "a file"), field("got", fault.what()));
    } catch (const SystemFault& fault) {
        errno = fault.error_number;
        PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, text_of(path).ptr());
        throw py::error_already_set();
    }
}

// Let Python handle a signal, such as Ctrl-C, during long work. Throws the exception that the handler raises.
inline void check_signals() {
    const py::gil_scoped_acquire with_gil;
    if (PyErr_CheckSignals()) throw py::error_already_set();
}

// Make a bytes object whose contents are still to be written. It owns them, and no other thread knows it yet.
inline py::bytes new_bytes(size_t size, uint8_t*& contents) {
    auto bytes = py::reinterpret_steal<py::bytes>(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size)));
    if (!bytes) throw py::error_already_set();
    contents = reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(bytes.ptr()));
    return bytes;
}

// Copies of more bytes release the GIL, so that other threads need not wait for them.
constexpr size_t kLongCopyBytes = 1 << 16;

inline py::bytes bytes_of(const uint8_t* data, size_t size) {
    if (size < kLongCopyBytes) return {reinterpret_cast<const char*>(data), size};
    uint8_t* contents = nullptr;
    py::bytes bytes = new_bytes(size, contents);
    {
        const py::gil_scoped_release without_gil;
        std::memcpy(contents, data, size);
    }
    return bytes;
}

template <typename T>
using Column = py::array_t<T, py::array::c_style | py::array::forcecast>;

// Move a vector into an array, which then owns the values.
template <typename T>
py::array_t<T> column_of(std::vector<T>&& values) {
    auto* const owner = new std::vector<T>(std::move(values));  // owned by `base`, which the array keeps
    const py::capsule base(owner, [](void* pointer) { delete static_cast<std::vector<T>*>(pointer); });
    return py::array_t<T>(static_cast<py::ssize_t>(owner->size()), owner->data(), base);
}

}  // namespace recordkit
